"""Over twenty sdists of PyPI: built as they are, and adopted and built with twofold_build.

Programs of other people judge what comes out, and pip, uv and build make the adopted projects'
wheels too. What a judge has against a project is the project's own, and is named below exactly: a
fault that is no longer found fails as much as a new one.
"""

from __future__ import annotations

import os
import tarfile
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import build_frontends
from tests.clients.checkers import CheckerFindings, run_all_checkers
from tests.clients.sdists import fetch_sdist
from tests.conftest import CommandResult
from tests.factories.archives import extract_all
from twofold.building import BuildRequest, BuildResult, build_project
from twofold.formats.reader import read_artifact

LIST = Path(__file__).with_name("sdists.txt")
#: Fetched once for all runs on this machine.
CACHE = Path(tempfile.gettempdir()) / "twofold-test-sdists"
NAMES = [
    line.split()[0]
    for line in LIST.read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
#: Built and adopted in every run, one or two of each backend; the others are slow.
ALWAYS = {"crashtest", "findpython", "mccabe", "mdurl", "starlette", "toolz"}
REQUIREMENTS = [
    pytest.param(name, marks=() if name.partition("==")[0] in ALWAYS else pytest.mark.slow)
    for name in NAMES
]
KINDS = ("sdist", "wheel", "conda", "tar.bz2")

#: setup.py or setup.cfg gives a long_description without its content type.
UNTYPED: CheckerFindings = {"twine check --strict": {"refused"}}
#: Two packages at the top: toolz and tlz.
TWO: CheckerFindings = {"check-wheel-contents": {"W009"}}
FAULTS_AS_IT_IS = {
    "cachetools": UNTYPED,
    "docopt": UNTYPED,
    "mccabe": UNTYPED,
    "pyflakes": UNTYPED,
    "six": UNTYPED,
    "toolz": {**UNTYPED, **TWO},
}
FAULTS_ADOPTED = {"toolz": TWO}


@pytest.fixture(autouse=True)
def own_cache() -> None:
    """What the checks learn of a file may be remembered here: nothing depends on it."""


def fetched(requirement: str) -> Path:
    """The sdist, from the index that pip is configured for."""
    folder = CACHE / requirement.replace("==", "-")
    if not folder.is_dir():
        CACHE.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix=".") as draft:
            fetch_sdist(requirement, Path(draft) / "whole")
            if not folder.is_dir():  # another process may have been quicker
                (Path(draft) / "whole").rename(folder)
    return next(folder.glob("*.tar.gz"))


def unpacked(requirement: str, folder: Path) -> Path:
    with tarfile.open(fetched(requirement)) as archive:
        extract_all(archive, folder / "tree")
    (root,) = (folder / "tree").iterdir()
    return root


def files_of(made: BuildResult, requirement: str) -> dict[str, Path]:
    """The built files by kind; every one of them says that it is the project in its version."""
    name, _, version = requirement.partition("==")
    files = {built.kind: Path(built.path) for built in made.artifacts}
    assert set(files) == set(KINDS)
    for path in files.values():
        artifact = read_artifact(path)
        assert artifact.name.lower().replace("_", "-") == name
        assert artifact.version == version
    return files


def test_there_are_at_least_twenty_of_all_common_backends() -> None:
    assert len(NAMES) >= 20
    listed = LIST.read_text("utf-8")
    for backend in ("flit_core", "hatchling", "pdm-backend", "poetry-core", "setuptools"):
        assert backend in listed


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_an_sdist_of_pypi_is_built_and_judged(requirement: str, tmp_path: Path) -> None:
    root = unpacked(requirement, tmp_path)
    made = build_project(root, BuildRequest(KINDS, tmp_path / "out"))
    assert made.backend != "twofold_build"
    files = files_of(made, requirement)
    faults = FAULTS_AS_IT_IS.get(requirement.partition("==")[0], {})
    assert run_all_checkers(files["wheel"], files["sdist"], root) == faults


@pytest.mark.parametrize("requirement", REQUIREMENTS)
def test_an_adopted_sdist_is_built_by_every_frontend_and_judged(
    requirement: str, tmp_path: Path, twofold: Callable[..., CommandResult]
) -> None:
    root = unpacked(requirement, tmp_path)
    ran = twofold("init", root)
    assert ran.code == 0, ran.err
    made = build_project(root, BuildRequest(KINDS, tmp_path / "out"))
    assert made.backend == "twofold_build"
    files = files_of(made, requirement)
    faults = FAULTS_ADOPTED.get(requirement.partition("==")[0], {})
    assert run_all_checkers(files["wheel"], files["sdist"], root) == faults
    for name, make in build_frontends.FRONTENDS.items():
        make(tmp_path / name, root)
        for path in (files["wheel"], files["sdist"]):
            other = tmp_path / name / path.name
            if name != "pip" or path == files["wheel"]:
                assert other.read_bytes() == path.read_bytes(), (name, os.fspath(path))
