"""Sample projects, fresh or built."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.factories.sample_projects import SAMPLES, BuiltFiles, call_hook, copy_sample, git
from twofold.new.files import NewProject
from twofold.new.start import start_project

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], BuiltFiles]:
    """A sample's sdist and wheel, each built once in a whole run."""
    made: dict[str, BuiltFiles] = {}

    def build(name: str) -> BuiltFiles:
        if name not in made:
            folder = tmp_path_factory.mktemp(name)
            project = copy_sample(name, folder / "project")
            out = folder / "out"
            sdist = out / call_hook("build_sdist", project, out)
            made[name] = BuiltFiles(sdist, out / call_hook("build_wheel", project, out))
        return made[name]

    return build


@pytest.fixture
def project(tmp_path: Path) -> Callable[[str], Path]:
    """A fresh copy of a sample project."""
    return lambda name: copy_sample(name, tmp_path / name)


@pytest.fixture
def every_project(project: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """One of EVERY: fresh copies, but for this repository's own projects."""

    def find(name: str) -> Path:
        if name in ("twofold", "twofold_build"):
            return REPOSITORY / ("backend" if name == "twofold_build" else ".")
        if name == "new":
            start_project(NewProject("new_sample", tmp_path / "new_sample"))
            return tmp_path / "new_sample"
        root = project(name)
        if name == "git_version":
            git(root, "init", "-q")
            git(root, "add", "-A")
            git(root, "commit", "-q", "-m", "first")
            git(root, "tag", "v1.4.0")
        return root

    return find


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "each_sample" in metafunc.fixturenames:
        metafunc.parametrize("each_sample", SAMPLES)
