"""One step of the tour: a command, its time, its result; and the log that shows them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from twofold.artifact import Artifact
from twofold.errors import SubprocessFailed, TwofoldError

#: Long enough for a cold package cache and a slow machine; a step that hangs still ends (seconds).
STEP_TIMEOUT = 600


@dataclass(frozen=True)
class TourStep:
    """A finished step. `seconds` is wall time; `detail` is the line a reader wants to see."""

    title: str
    command: str
    seconds: float
    ok: bool
    detail: str = ""


@dataclass
class Log:
    """What the tour did and made so far; each step is told as it happens through `say`.

    `remarks` tell what was done otherwise than a reader would expect.
    """

    say: Callable[[str], None]
    steps: list[TourStep] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, title: str, command: str) -> Iterator[list[str]]:
        """Time what happens inside; the list it yields takes the lines of the step's result.

        A TwofoldError inside marks the step as failed and goes on to the caller.
        """
        self.say(f"\n{len(self.steps) + 1}. {title}\n   $ {command}")
        detail: list[str] = []
        start = time.perf_counter()
        ok = False
        try:
            yield detail
            ok = True
        except TwofoldError as error:
            detail.append(error.problems[0].message)
            raise
        finally:
            seconds = time.perf_counter() - start
            self.steps.append(TourStep(title, command, seconds, ok, "; ".join(detail)))
            for line in detail:
                self.say(f"   {line}")
            self.say(f"   {'ok' if ok else 'FAILED'} in {seconds:.2f} s")

    def run(
        self,
        title: str,
        command: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        shown: str = "",
        detail: Callable[[str], Sequence[str]] = lambda _: (),
    ) -> str:
        """Run a command as a step; `detail` picks from its stdout what is shown. Returns stdout.

        Raises ToolFailed, with all that the command printed, when it exits with another code
        than 0 or takes longer than STEP_TIMEOUT seconds.
        """
        words = [str(word) for word in command]
        with self.step(title, shown or " ".join(words)) as lines:
            out = run_command(words, cwd=cwd, env=env)
            lines.extend(detail(out))
        return out


def run_command(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run one command to its end and return its stdout; ToolFailed tells what went wrong."""
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=STEP_TIMEOUT,
            check=False,
        )
    except FileNotFoundError as error:
        raise SubprocessFailed(
            f"{name} is not installed", f"install it: pip install {name}"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise SubprocessFailed(f"{name} did not end within {STEP_TIMEOUT} s") from error
    if done.returncode:
        output = f"{done.stdout}\n{done.stderr}".strip()
        raise SubprocessFailed(f"{name} failed with exit code {done.returncode}", output=output)
    return done.stdout


def twofold_command(*words: str | Path) -> list[str | Path]:
    """A `twofold` command line that runs this very installation."""
    return [sys.executable, "-m", "twofold", *words]
