"""The environment of another backend: isolated, made by uv or else by pip; or the one in use."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from twofold.building.options import BackendOptions
from twofold.errors import SubprocessFailed, TwofoldError
from twofold.names import normalize_name
from twofold.pip_config import get_uv_settings
from twofold.programs import run_captured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyproject_hooks import BuildBackendHookCaller


@dataclass(frozen=True)
class BuildEnvironment:
    """The environment a backend's hooks run in, and the interpreter there.

    `folder` is that of a virtual environment which holds what the backend needs and nothing else;
    None without isolation. `uv` is the path of uv, or None where pip does the work.
    """

    python: Path
    folder: Path | None
    project: Path
    uv: str | None
    options: BackendOptions

    @classmethod
    def create(
        cls, folder: Path, project: Path, options: BackendOptions | None = None
    ) -> BuildEnvironment:
        """Make an isolated environment, or take the interpreter as it is without isolation."""
        options = options or BackendOptions()
        uv = shutil.which("uv")
        if not options.is_isolated:
            return cls(_find_python(options.python, uv), None, project, uv, options)
        if uv:
            chosen = options.python or sys.executable
            command = [uv, "venv", "--no-project", "--python", chosen, folder]
        else:
            python = _find_python(options.python, uv)
            command = [python, "-m", "venv", "--without-pip", folder]
        hint = "check that there is room on the disk"
        if options.python:
            hint = "install that Python, or pass the path of an interpreter to --python"
        _run(command, "an environment for the backend could not be made", hint)
        inside = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return cls(folder.joinpath(*inside), folder, project, uv, options)

    @property
    def tool(self) -> str:
        """The installer's name, for messages."""
        return "uv" if self.uv else "pip"

    @cached_property
    def _uv_settings(self) -> tuple[list[str], dict[str, str]]:
        return get_uv_settings(self.project)

    def install(self, requires: Sequence[str]) -> str:
        """Install requirements and say what the installer's cache saved: `uv, 2 packages fetched`.

        Without isolation they must be installed already. Raises SubprocessFailed with the
        installer's output, TwofoldError for what is missing.
        """
        if not requires:
            return ""
        if self.folder is None:
            if not self.options.needs_requires:
                return "not checked"
            _check_installed(self.python, requires)
            return "installed already"
        surroundings: dict[str, str] = {}
        limits: list[object] = []
        if self.uv:
            for path in self.options.constraints:
                limits += ["--constraints", path, "--build-constraints", path]
            indexes, variables = self._uv_settings
            surroundings |= variables
            command = [self.uv, "pip", "install", "--python", self.python, *indexes]
        else:
            for path in self.options.constraints:
                limits += ["--constraint", path]
            if limits:  # what is built on the way must keep to them too (pip 25.3 and later)
                files = [Path(path).absolute().as_uri() for path in self.options.constraints]
                surroundings["PIP_BUILD_CONSTRAINT"] = " ".join(files)
            command = [sys.executable, "-m", "pip", "--python", self.python, "install"]
        output = _run(
            [*command, *limits, *requires],
            f"{self.tool} could not install {', '.join(requires)}",
            "check the requirements' names, and that the index can be reached",
            surroundings,
        )
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
            variables = {**self._environment_variables(), **(extra_environ or {})}
            if paths:  # a backend in the project leaves no __pycache__ there
                variables["PYTHONDONTWRITEBYTECODE"] = "1"
            done = run_captured(cmd, variables, cwd)
            output.append(done.output)
            if done.returncode:
                raise subprocess.CalledProcessError(done.returncode, cmd)

        caller = BuildBackendHookCaller(
            str(source),
            backend,
            backend_path=list(paths) or None,
            runner=run,
            python_executable=str(self.python),
        )
        settings = self.options.config_settings
        return BackendHooks(caller, backend, output, dict(warned or {}), settings)

    def _environment_variables(self) -> dict[str, str]:
        """The environment variables of a hook: the isolated Python first on PATH."""
        surroundings = dict(os.environ)
        surroundings["PYTHONIOENCODING"] = "utf-8"
        if self.folder is None:
            return surroundings
        surroundings["PATH"] = f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', '')}"
        surroundings["VIRTUAL_ENV"] = str(self.folder)
        surroundings.pop("PYTHONHOME", None)
        surroundings.pop("PYTHONPATH", None)
        return surroundings


@dataclass(frozen=True)
class BackendHooks:
    """A backend's hooks; their output is shown when one fails.

    `warned` are the first lines of the backend's warnings, each once. `config_settings` go to every
    hook.
    """

    caller: BuildBackendHookCaller
    backend: str
    output: list[str]
    warned: dict[str, None]
    config_settings: dict[str, str | list[str]]

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
                answer = getattr(self.caller, hook)(*arguments, self.config_settings or None)
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


def _find_python(chosen: str, uv: str | None) -> Path:
    """Find an interpreter by its path, name or version; '' is the running one."""
    if not chosen:
        return Path(sys.executable)
    for path in (Path(chosen), Path(chosen, "bin", "python")):
        if path.is_file():
            return path.absolute()
    for name in (chosen, f"python{chosen}"):
        if found := shutil.which(name):
            return Path(found)
    if uv:
        found = _run(
            [uv, "python", "find", "--no-project", chosen],
            f"there is no Python '{chosen}'",
            "pass the path of an interpreter to --python",
        )
        return Path(found.strip().splitlines()[-1])
    raise TwofoldError(
        f"there is no Python '{chosen}' on PATH", "pass the path of an interpreter to --python"
    )


#: Prints the installed versions and what markers depend on.
_INVENTORY = """
import importlib.metadata, json, platform, sys
print(json.dumps({
    "installed": [
        [d.metadata["Name"], d.version, d.requires or []]
        for d in importlib.metadata.distributions()
    ],
    "markers": {
        "python_version": "{}.{}".format(*sys.version_info),
        "python_full_version": platform.python_version(),
        "implementation_name": sys.implementation.name,
        "platform_python_implementation": platform.python_implementation(),
    },
}))
"""


def _check_installed(python: Path, requires: Sequence[str]) -> None:
    """Raise TwofoldError for the requirements that are not installed beside an interpreter.

    What the installed ones require, with the extras that are asked for, must be there too.
    """
    import json

    from packaging.requirements import InvalidRequirement, Requirement

    output = _run(
        [python, "-c", _INVENTORY],
        f"{python} is not a working Python",
        "pass the path of an interpreter to --python",
    )
    inventory = json.loads(output.splitlines()[-1])
    installed = {
        normalize_name(name): (version, further)
        for name, version, further in reversed(inventory["installed"])  # the first one is imported
        if name
    }
    missing: dict[str, None] = {}
    waiting = [(written, "", "") for written in requires]
    seen = set(waiting)
    for written, extra, owner in waiting:
        try:
            requirement = Requirement(written)
        except InvalidRequirement as error:
            if owner:
                continue  # an installed distribution from before PEP 508
            raise TwofoldError(
                f"'{written}' is no requirement: {str(error).splitlines()[0]}",
                'write it as "name>=1.0"',
                "pyproject.toml: [build-system] requires",
            ) from None
        markers = {**inventory["markers"], "extra": extra}
        if requirement.marker and not requirement.marker.evaluate(markers):
            continue
        requirement.marker = None
        plain = str(requirement)
        asks = f", which {owner} requires" if owner else ""
        version, further = installed.get(normalize_name(requirement.name), (None, ()))
        if version is None:
            missing[f"{plain}{asks}"] = None
        elif not requirement.specifier.contains(version, prereleases=True):
            missing[f"{plain} (there is {version}){asks}"] = None
        for one in further:
            for wanted in ("", *sorted(requirement.extras)):
                step = (one, wanted, requirement.name)
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
    if missing:
        raise TwofoldError(
            f"the environment of {python} lacks {'; '.join(missing)}",
            "install it there, build without --no-isolation, or skip this with "
            "--skip-dependency-check",
        )


def _run(
    command: Sequence[object], what: str, hint: str, variables: Mapping[str, str] | None = None
) -> str:
    """Run an installer or interpreter and return its output; `variables` add to the environment."""
    done = run_captured(command, {**os.environ, **(variables or {})})
    if done.returncode:
        raise SubprocessFailed(what, hint, output=done.output)
    return done.output
