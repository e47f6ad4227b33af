"""Throwaway environments in which a release is tried as its users will use it.

In each world: install, import every import package, load every entry point, and, for a conda
package, run the tests it carries under info/test. What fails is told with the reason of the tool
that failed (pip's, the solver's, Python's).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twofold.errors import ToolFailed, TwofoldError
from twofold.install.carried import own_tests, requirements
from twofold.install.logins import Login
from twofold.install.running import TRY, Step, run_in
from twofold.install.throwaway import throwaway
from twofold.install.venv import PipInstall, install_into_venv
from twofold.install.with_fallback import index_channel, install_or_repack

World = Literal["pip", "conda"]


@dataclass(frozen=True)
class Trial:
    """What came of one world, in order; nothing is tried after a failed installation."""

    world: World
    steps: tuple[Step, ...]
    seconds: float
    note: str = ""

    @property
    def worked(self) -> bool:
        return all(step.worked for step in self.steps)


@dataclass(frozen=True)
class PipTrial:
    """`requirement` is a file or `name==1.0`; `index` where it was published ('' : pip's own)."""

    name: str
    requirement: str
    index: str = ""
    login: Login | None = None


@dataclass(frozen=True)
class CondaTrial:
    """`spec` is a MatchSpec; `channels` come before conda-forge unless `only`."""

    name: str
    spec: str
    channels: tuple[str, ...]
    logins: tuple[tuple[str, Login], ...] = ()
    only: bool = False
    tests: Path | None = None


def try_with_pip(wanted: PipTrial) -> Trial:
    """A new virtual environment by pip, and everything of the package tried in it."""
    with throwaway() as folder:

        def install() -> tuple[Path, str]:
            request = PipInstall([wanted.requirement], wanted.index, wanted.login)
            return install_into_venv(folder / "venv", request), ""

        return _try("pip", wanted.name, install, lambda _: [])


def try_with_conda(wanted: CondaTrial) -> Trial:
    """A new conda environment by py-rattler, and everything of the package tried in it."""
    with throwaway() as folder:
        prefix = folder / "environment"

        def install() -> tuple[Path, str]:
            outcome = install_or_repack(
                [wanted.spec, "python", *requirements(wanted.tests)],
                wanted.channels,
                prefix,
                logins=dict(wanted.logins),
                add_conda_forge=not wanted.only,
            )
            return conda_python(prefix), outcome.note

        return _try(
            "conda", wanted.name, install, lambda python: own_tests(python, prefix, wanted.tests)
        )


def local_channel(packages: Sequence[tuple[Path, str]], folder: Path) -> str:
    """A channel in `folder` of packages given with their subdirs; returns its address."""
    for package, subdir in packages:
        place = folder / subdir
        place.mkdir(parents=True, exist_ok=True)
        (place / package.name).write_bytes(package.read_bytes())
    (folder / "noarch").mkdir(parents=True, exist_ok=True)
    index_channel(folder)
    return folder.absolute().as_uri()


def conda_python(prefix: Path) -> Path:
    """Where the Python of a conda environment is on this platform."""
    return prefix / ("python.exe" if os.name == "nt" else "bin/python")


def _try(
    world: World,
    name: str,
    install: Callable[[], tuple[Path, str]],
    more: Callable[[Path], list[Step]],
) -> Trial:
    start = time.perf_counter()
    try:
        python, note = install()
    except TwofoldError as error:
        output = f"\n{error.output}" if isinstance(error, ToolFailed) else ""
        failed = Step("install", False, str(error) + output)
        return Trial(world, (failed,), time.perf_counter() - start)
    steps = [Step("install", True), *_imports(python, name, world), *more(python)]
    return Trial(world, tuple(steps), time.perf_counter() - start, note)


def _imports(python: Path, name: str, world: World) -> list[Step]:
    """Import packages and entry points, tried by the environment's own Python."""
    files = _conda_files(python, name) if world == "conda" else []
    if world == "conda" and not files:
        return []  # a library, or a package that only requires others
    done = run_in([str(python), "-I", "-c", TRY, name, *files], python)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return [Step("import", False, done.stderr or "its Python ended without a word")]
    steps = [Step(what, worked, detail) for what, worked, detail in json.loads(lines[-1])]
    return steps or [Step("import", False, "it holds nothing that can be imported")]


def _conda_files(python: Path, name: str) -> list[str]:
    """The files of a conda package below site-packages, as conda-meta lists them."""
    prefix = python.parent if os.name == "nt" else python.parent.parent
    for record in prefix.glob(f"conda-meta/{name}-*.json"):
        value = json.loads(record.read_text("utf-8"))
        if value.get("name") == name:
            inside = [
                str(f).replace("\\", "/").partition("/site-packages/") for f in value["files"]
            ]
            return [tail for _, found, tail in inside if found and "__pycache__" not in tail]
    return []
