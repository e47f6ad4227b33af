"""Over twenty sdists of PyPI are built as they are, and judged by programs of other people."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest
from packaging.metadata import Metadata

from twofold.build import BuildRequest, build_project
from twofold.formats.opening import read

LIST = Path(__file__).with_name("sdists.txt")
#: Fetched once for all runs on this machine.
CACHE = Path(tempfile.gettempdir()) / "twofold-test-sdists"
NAMES = [
    line.split()[0]
    for line in LIST.read_text("utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]


def fetched(requirement: str) -> Path:
    """The sdist, by pip as it is configured; unpacked is not needed to fetch it."""
    folder = CACHE / requirement.replace("==", "-")
    if not list(folder.glob("*.tar.gz")):
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--no-binary",
            ":all:",
        ]
        done = subprocess.run(
            [*command, "-d", str(folder), requirement], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"pip cannot fetch {requirement} here: {done.stderr.strip()[-300:]}")
    return next(folder.glob("*.tar.gz"))


def test_there_are_at_least_twenty() -> None:
    assert len(NAMES) >= 20


@pytest.mark.slow
@pytest.mark.parametrize("requirement", NAMES)
def test_an_sdist_of_pypi_is_built_and_passes_its_judges(requirement: str, tmp_path: Path) -> None:
    with tarfile.open(fetched(requirement)) as archive:
        archive.extractall(tmp_path / "tree", filter="data")
    (root,) = (tmp_path / "tree").iterdir()
    kinds = ("sdist", "wheel", "conda", "tar.bz2")
    made = build_project(root, BuildRequest(kinds, tmp_path / "out"))
    name, _, version = requirement.partition("==")
    by_kind = {built.kind: Path(built.path) for built in made.artifacts}
    assert set(by_kind) == set(kinds)
    for path in by_kind.values():
        artifact = read(path)
        assert artifact.name.lower().replace("_", "-") == name.lower()
        assert artifact.version == version
    wheel = by_kind["wheel"]
    Metadata.from_email(read(wheel).metadata, validate=True)
    twine = [sys.executable, "-m", "twine", "check", str(wheel), str(by_kind["sdist"])]
    subprocess.run(twine, check=True, capture_output=True)
    from installer.sources import WheelFile

    with WheelFile.open(wheel) as source:
        source.validate_record(validate_contents=True)
