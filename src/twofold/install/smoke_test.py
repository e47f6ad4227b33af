"""Smoke tests: install a release into a temporary environment and use it.

With pip and with a conda client: install, import every package, load every entry point, and, for
a conda package, run the tests under info/test. Failures include the reason of the tool (pip, the
solver, Python).
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from twofold.errors import SubprocessFailed, TwofoldError
from twofold.install.auth import Login
from twofold.install.conda_or_repack import index_channel, install_or_repack, temporary_folder
from twofold.install.pip import PipInstall, install_into_venv
from twofold.install.test_runner import (
    IMPORT_SCRIPT,
    SmokeStep,
    find_installed_record,
    read_test_requirements,
    run_in_environment,
    run_package_tests,
)

World = Literal["pip", "conda"]


@dataclass(frozen=True)
class SmokeResult:
    """The steps of one smoke test, in order; a failed installation ends it."""

    world: World
    steps: tuple[SmokeStep, ...]
    seconds: float
    note: str = ""

    @property
    def worked(self) -> bool:
        """Whether every step succeeded."""
        return all(step.worked for step in self.steps)


@dataclass(frozen=True)
class PipSmokeTest:
    """`requirement` is a file or `name==1.0`; `index` its index ('': pip's own)."""

    name: str
    requirement: str
    index: str = ""
    login: Login | None = None


@dataclass(frozen=True)
class CondaSmokeTest:
    """`spec` is a MatchSpec; `channels` come before conda-forge unless `only`."""

    name: str
    spec: str
    channels: tuple[str, ...]
    logins: tuple[tuple[str, Login], ...] = ()
    only: bool = False
    tests: Path | None = None


def smoke_test_with_pip(test: PipSmokeTest) -> SmokeResult:
    """Install with pip into a new virtual environment, and test the package."""
    with temporary_folder() as folder:

        def install() -> tuple[Path, str]:
            request = PipInstall([test.requirement], test.index, test.login)
            return install_into_venv(folder / "venv", request), ""

        return _run_smoke_test("pip", test.name, install, lambda _: [])


def smoke_test_with_conda(test: CondaSmokeTest) -> SmokeResult:
    """Install with py-rattler into a new conda environment, and test the package."""
    with temporary_folder() as folder:
        prefix = folder / "environment"

        def install() -> tuple[Path, str]:
            outcome = install_or_repack(
                [test.spec, "python", *read_test_requirements(test.tests)],
                test.channels,
                prefix,
                logins=dict(test.logins),
                add_conda_forge=not test.only,
            )
            return find_conda_python(prefix), outcome.note

        return _run_smoke_test(
            "conda",
            test.name,
            install,
            lambda python: run_package_tests(python, prefix, test.tests, test.name),
            _explain_test_requirements(test.tests),
        )


def make_channel(packages: Sequence[tuple[Path, str]], folder: Path) -> str:
    """Make a channel in `folder` of packages with their subdirs; returns its URL."""
    for package, subdir in packages:
        place = folder / subdir
        place.mkdir(parents=True, exist_ok=True)
        (place / package.name).write_bytes(package.read_bytes())
    (folder / "noarch").mkdir(parents=True, exist_ok=True)
    index_channel(folder)
    return folder.absolute().as_uri()


def find_conda_python(prefix: Path) -> Path:
    """The path of a conda environment's Python on this platform."""
    return prefix / ("python.exe" if os.name == "nt" else "bin/python")


def _explain_test_requirements(tests: Path | None) -> str:
    """Say which requirements are the tests' own, when an installation with them fails."""
    specs = read_test_requirements(tests)
    if not specs:
        return ""
    listed = ", ".join(specs)
    return f"\nThe package's own tests require {listed} (under info/test or info/tests)."


def _run_smoke_test(
    world: World,
    name: str,
    install: Callable[[], tuple[Path, str]],
    more: Callable[[Path], list[SmokeStep]],
    explanation: str = "",
) -> SmokeResult:
    start = time.perf_counter()
    try:
        python, note = install()
    except TwofoldError as error:
        output = f"\n{error.output}" if isinstance(error, SubprocessFailed) else ""
        failed = SmokeStep("install", False, str(error) + output + explanation)
        return SmokeResult(world, (failed,), time.perf_counter() - start)
    steps = [SmokeStep("install", True), *_test_imports(python, name, world), *more(python)]
    return SmokeResult(world, tuple(steps), time.perf_counter() - start, note)


def _test_imports(python: Path, name: str, world: World) -> list[SmokeStep]:
    """Import packages and load entry points with the environment's own Python."""
    files = _list_conda_files(python, name) if world == "conda" else []
    if world == "conda" and not files:
        return []  # a library, or a metapackage
    done = run_in_environment([str(python), "-I", "-c", IMPORT_SCRIPT, name, *files], python)
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines:
        return [SmokeStep("import", False, done.stderr or "its Python exited without output")]
    steps = [SmokeStep(what, worked, detail) for what, worked, detail in json.loads(lines[-1])]
    return steps or [SmokeStep("import", False, "it contains no importable module")]


def _list_conda_files(python: Path, name: str) -> list[str]:
    """The files of a conda package below site-packages, as conda-meta lists them."""
    prefix = python.parent if os.name == "nt" else python.parent.parent
    files = find_installed_record(prefix, name).get("files", [])
    inside = [str(file).replace("\\", "/").partition("/site-packages/") for file in files]
    return [tail for _, found, tail in inside if found and "__pycache__" not in tail]
