"""An isolated environment for another backend: made by uv when it is there, else by pip."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import SubprocessFailed
from twofold.pip_config import get_uv_certificates, get_uv_index_options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyproject_hooks import BuildBackendHookCaller


@dataclass(frozen=True)
class IsolatedEnvironment:
    """A virtual environment that holds what a backend needs, and nothing else.

    `uv` is the path of uv, or None where pip does the work.
    """

    folder: Path
    project: Path
    uv: str | None

    @classmethod
    def create(
        cls, folder: Path, project: Path, requires: Sequence[str] = ()
    ) -> IsolatedEnvironment:
        """Make the environment and install the backend's requirements."""
        environment = cls(folder, project, shutil.which("uv"))
        if environment.uv:
            command = [environment.uv, "venv", "--no-project", "--python", sys.executable, folder]
        else:
            command = [sys.executable, "-m", "venv", "--without-pip", folder]
        _run(command, "an environment for the backend could not be made")
        environment.install(requires)
        return environment

    @property
    def python(self) -> Path:
        """The path of the environment's interpreter."""
        if os.name == "nt":
            return self.folder / "Scripts" / "python.exe"
        return self.folder / "bin" / "python"

    @property
    def tool(self) -> str:
        """The installer's name, for messages."""
        return "uv" if self.uv else "pip"

    def install(self, requires: Sequence[str]) -> str:
        """Install requirements and say what the installer's cache saved: `uv, 2 packages fetched`.

        Raises ToolFailed with the installer's output.
        """
        if not requires:
            return ""
        surroundings: dict[str, str] = {}
        if self.uv:
            options = get_uv_index_options(self.project)
            surroundings = get_uv_certificates()
            command = [self.uv, "pip", "install", "--python", self.python, *options, *requires]
        else:
            command = [sys.executable, "-m", "pip", "--python", self.python, "install", *requires]
        output = _run(command, f"{self.tool} could not install {', '.join(requires)}", surroundings)
        return f"{self.tool}, {_download_summary(output)}"

    def hooks(
        self,
        source: Path,
        backend: str,
        paths: Sequence[str],
        warned: Mapping[str, None] | None = None,
    ) -> BackendHooks:
        """The backend's hooks, run with this environment's Python in `source`.

        `warned` are warnings that earlier hooks gave.
        """
        from pyproject_hooks import BuildBackendHookCaller

        output: list[str] = []

        def run(
            cmd: Sequence[str],
            cwd: str | None = None,
            extra_environ: Mapping[str, str] | None = None,
        ) -> None:
            done = subprocess.run(
                list(cmd),
                cwd=cwd,
                env={**self._environment_variables(), **(extra_environ or {})},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                encoding="utf-8",
                errors="replace",
                check=False,
            )
            output.append(done.stdout)
            if done.returncode:
                raise subprocess.CalledProcessError(done.returncode, cmd)

        caller = BuildBackendHookCaller(
            str(source),
            backend,
            backend_path=list(paths) or None,
            runner=run,
            python_executable=str(self.python),
        )
        return BackendHooks(caller, backend, output, dict(warned or {}))

    def _environment_variables(self) -> dict[str, str]:
        """The environment variables of a hook: the isolated Python first on PATH."""
        surroundings = dict(os.environ)
        surroundings["PATH"] = f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        surroundings["VIRTUAL_ENV"] = str(self.folder)
        surroundings["PYTHONIOENCODING"] = "utf-8"
        surroundings.pop("PYTHONHOME", None)
        surroundings.pop("PYTHONPATH", None)
        return surroundings


@dataclass(frozen=True)
class BackendHooks:
    """A backend's hooks; their output is shown when one fails.

    `warned` are the first lines of the backend's warnings, each once.
    """

    caller: BuildBackendHookCaller
    backend: str
    output: list[str]
    warned: dict[str, None]

    def get_requires(self, kind: str) -> list[str]:
        """What the backend further needs for an sdist or a wheel."""
        return list(self._call(f"get_requires_for_build_{kind}"))

    def build(self, kind: str, folder: Path) -> Path:
        """Build into `folder` and return the file."""
        folder.mkdir(parents=True, exist_ok=True)
        return folder / str(self._call(f"build_{kind}", str(folder)))

    def _call(self, hook: str, *arguments: str) -> Any:
        from pyproject_hooks import BackendUnavailable, HookMissing, UnsupportedOperation

        del self.output[:]
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                answer = getattr(self.caller, hook)(*arguments)
            self.warned.update((_first_line(one.message), None) for one in caught)
            return answer
        except BackendUnavailable as error:
            raise SubprocessFailed(
                f"the backend '{self.backend}' could not be loaded",
                "name the package that holds it in [build-system] requires",
                "pyproject.toml: [build-system] build-backend",
                output=str(error.traceback),
            ) from None
        except (HookMissing, UnsupportedOperation) as error:
            raise SubprocessFailed(
                f"the backend '{self.backend}' cannot do {hook}: {error}",
                "see the backend's own documentation",
                output="".join(self.output),
            ) from None
        except subprocess.CalledProcessError as error:
            raise SubprocessFailed(
                f"the backend '{self.backend}' failed in {hook} (exit code {error.returncode})",
                "read its output above",
                output="".join(self.output),
            ) from None


def _first_line(message: object) -> str:
    return next((line.strip() for line in str(message).splitlines() if line.strip()), "")


def _download_summary(output: str) -> str:
    """How much an installer fetched, by its own words."""
    lines = [line.split() for line in output.splitlines() if line.strip()]
    by_uv = sum(int(words[1]) for words in lines if words[0] == "Prepared")
    by_pip = sum(words[0] == "Downloading" for words in lines)
    count = by_uv + by_pip
    return f"{count} package{'s' * (count > 1)} fetched" if count else "nothing fetched"


def _run(command: Sequence[object], what: str, variables: Mapping[str, str] | None = None) -> str:
    """Run an installer and return its output; `more` is added to the environment's variables."""
    done = subprocess.run(
        [str(word) for word in command],
        env={**os.environ, **(variables or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        raise SubprocessFailed(
            what,
            "check the requirements' names, and that the index can be reached",
            output=done.stdout,
        )
    return done.stdout
