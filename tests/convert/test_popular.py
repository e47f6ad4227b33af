"""Popular packages, converted with their closures, are solved, installed and imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.convert.popular import install_and_import, python_channel, read_list

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="without conda-forge the python is repacked, on Linux alone"
)
#: Pure, with extras and markers in the closure, binary, stable ABI, with C libraries.
FIVE = ("requests", "click", "pydantic", "cryptography", "numpy")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("popular")
    python_channel(work / "python")
    return work


@pytest.mark.parametrize(
    "name", [*FIVE[:2], *(pytest.param(name, marks=pytest.mark.slow) for name in FIVE[2:])]
)
def test_five_popular_packages_run_in_a_conda_environment(place: Path, name: str) -> None:
    install_and_import(name, read_list()[name], place / "channel", place / "python", place)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in read_list() if name not in FIVE])
def test_a_hundred_popular_packages_run_in_conda_environments(place: Path, name: str) -> None:
    install_and_import(name, read_list()[name], place / "channel", place / "python", place)
