"""Steps of the tour, their log, and raising the version of the toured project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from packaging.version import Version

from twofold.artifact import Artifact
from twofold.errors import SubprocessFailed, TwofoldError

#: Enough for a cold package cache and a slow machine; a hanging step is ended (seconds).
STEP_TIMEOUT = 600


@dataclass(frozen=True)
class TourStep:
    """A finished step. `seconds` is wall time; `detail` is the shown result."""

    title: str
    command: str
    seconds: float
    ok: bool
    detail: str = ""


@dataclass
class Log:
    """The steps and artifacts so far; each step is printed with `say` as it happens.

    `remarks` explain steps that differ from what a reader would expect.
    """

    say: Callable[[str], None]
    steps: list[TourStep] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @contextmanager
    def step(self, title: str, command: str) -> Iterator[list[str]]:
        """Time the block as a step; the yielded list takes the lines of its result.

        A TwofoldError in the block marks the step as failed, and propagates.
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
        """Run a command as a step; `detail` selects lines of stdout to print. Returns stdout.

        Raises SubprocessFailed with the complete output if the exit code is not 0 or the command
        takes longer than STEP_TIMEOUT seconds.
        """
        words = [str(word) for word in command]
        with self.step(title, shown or " ".join(words)) as lines:
            out = run_command(words, cwd=cwd, env=env)
            lines.extend(detail(out))
        return out


def run_command(command: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None) -> str:
    """Run one command and return its stdout; raises SubprocessFailed with its output."""
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
    """A `twofold` command line that runs this installation."""
    return [sys.executable, "-m", "twofold", *words]


#: Where projects keep their version, relative to the root; PKG-INFO for sdists whose version
#: came from git and is read back from there.
PLACES = (
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "PKG-INFO",
    "VERSION",
    "*.py",
    "*/*.py",
    "src/*.py",
    "src/*/*.py",
)
#: Larger files are data, not the place of a version (bytes).
LARGEST = 1 << 20


def next_version(version: str) -> str:
    """The next release: the last number of the release segment, one higher."""
    parsed = Version(version)
    release = [*parsed.release[:-1], parsed.release[-1] + 1]
    epoch = f"{parsed.epoch}!" if parsed.epoch else ""
    return epoch + ".".join(map(str, release))


def write_next_version(root: Path, version: str) -> str:
    """Replace `version` by the next one in the project's files and return it.

    Only lines that speak of a version are touched. Raises TwofoldError when the project
    nowhere writes its version down.
    """
    new = next_version(version)
    literal = re.compile(
        rb"""(?im)^(?P<head>[^\n]*version[^\n]*?[\s"'=:])?"""
        + re.escape(version.encode())
        + rb"""(?P<tail>["'\s]|$)"""
    )
    changed = False
    for path in _candidates(root):
        data = path.read_bytes()
        whole = path.name == "VERSION"

        def swap(match: re.Match[bytes], whole: bool = whole) -> bytes:
            if match["head"] is None and not whole:
                return match[0]
            return (match["head"] or b"") + new.encode() + match["tail"]

        replaced = literal.sub(swap, data)
        if replaced != data:
            path.write_bytes(replaced)
            changed = True
    if not changed:
        raise TwofoldError(
            f"no file of the project writes its version {version} down",
            "the tour needs a second version to publish; give it a project with a static version",
            str(root),
        )
    return new


def _candidates(root: Path) -> list[Path]:
    found = {path for pattern in PLACES for path in root.glob(pattern)}
    return sorted(path for path in found if path.is_file() and path.stat().st_size <= LARGEST)
