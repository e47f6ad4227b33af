"""`twofold tour` on the example and on projects as PyPI has them: sdists of other backends."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.archives import extract_all


def test_the_example_walks_the_whole_road_within_a_minute(
    twofold: Callable[..., CommandResult],
) -> None:
    ran = twofold("tour", "--no-conda-forge", "--json")
    assert ran.code == 0, ran.err
    report = ran.json
    assert report["ok"]
    assert all(step["ok"] for step in report["steps"])
    filenames = {made["filename"] for made in report["artifacts"]}
    assert {
        "my_package-1.0.0.tar.gz",
        "my_package-1.0.0-py3-none-any.whl",
        "my_package-1.0.0-py_0.conda",
        "my_package-1.0.1.tar.gz",
        "my_package-1.0.1-py3-none-any.whl",
        "my_package-1.0.1-py_0.conda",
    } == filenames
    assert report["remarks"], "it says that python was repacked"


@pytest.mark.parametrize(
    ("requirement", "call"),
    [
        pytest.param(
            "docopt==0.6.2",
            "docopt.docopt('usage: x', [])",
            id="setup.py alone",
            marks=pytest.mark.slow,
        ),
        pytest.param("idna==3.10", "idna.encode('twofold')", id="flit", marks=pytest.mark.slow),
        pytest.param(
            "sqlparse==0.5.3",
            "sqlparse.split('select 1;')",
            id="hatchling and an entry point",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_an_sdist_from_pypi_walks_the_whole_road(
    requirement: str, call: str, twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    """Built through its own backend, published, installed by pip and py-rattler, imported."""
    project = _unpacked_sdist(requirement, tmp_path)
    ran = twofold("tour", project, "--call", call, "--no-conda-forge", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["ok"]


def test_a_project_that_is_no_project_ends_the_tour_with_exit_code_1(
    twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    (tmp_path / "nothing").mkdir()
    ran = twofold("tour", tmp_path / "nothing", "--no-conda-forge")
    assert ran.code == 1
    assert "hint:" in ran.err
    assert "Traceback" not in ran.err


def _unpacked_sdist(requirement: str, folder: Path) -> Path:
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--no-binary",
            ":all:",
            "--no-build-isolation",
            "-d",
            str(folder),
            requirement,
        ],
        check=True,
        timeout=180,
    )
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        extract_all(archive, folder / "unpacked")
    (project,) = (folder / "unpacked").iterdir()
    return project
