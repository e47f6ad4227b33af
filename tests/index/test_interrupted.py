"""Indexing that is killed, run twice at once, or finds its cache damaged."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.artifacts import write_conda
from tests.factories.versioned_wheels import make_wheel
from twofold.conda_metadata import CondaPackage
from twofold.index.cache import NAME
from twofold.index.folder import index_folder

INDEX = "from pathlib import Path; import sys; from twofold.index.folder import index_folder\n"
RUN = INDEX + "if __name__ == '__main__': index_folder(Path(sys.argv[1]), workers=0)\n"


@pytest.fixture
def full_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "folder"
    (folder / "noarch").mkdir(parents=True)
    for number in range(40):
        package = CondaPackage(f"package_{number % 10}", f"1.{number}", timestamp=1_700_000_000_000)
        write_conda(folder / "noarch", package)
        if number % 4 == 0:
            make_wheel(folder, f"wheel_{number}", "1.0")
    return folder


def read_pages(folder: Path) -> dict[str, bytes]:
    """Everything but the packages and the cache."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and not path.name.startswith(".")
        and path.suffix not in (".conda", ".whl")
    }


def start_indexing(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(folder)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def test_an_indexing_killed_at_any_moment_is_repaired_by_the_next(
    full_folder: Path, tmp_path: Path
) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(full_folder, whole)
    index_folder(whole)
    began = time.perf_counter()
    assert start_indexing(whole).wait(timeout=60) == 0
    once = time.perf_counter() - began
    killed = 0
    for part in range(8):
        process = start_indexing(full_folder)
        time.sleep(once * (part + 3) / 10)
        process.kill()
        killed += process.wait(timeout=60) != 0
        process.communicate()
        for name, data in read_pages(full_folder).items():
            assert data, f"{name} is empty"
    assert killed
    index_folder(full_folder)
    assert read_pages(full_folder) == read_pages(whole)


def test_several_indexings_at_once_agree(full_folder: Path, tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    shutil.copytree(full_folder, whole)
    index_folder(whole)
    running = [start_indexing(full_folder) for _ in range(3)]
    for process in running:
        message, _ = process.communicate(timeout=120)
        assert process.returncode == 0, message
    assert read_pages(full_folder) == read_pages(whole)


def test_a_damaged_cache_is_made_anew(full_folder: Path) -> None:
    index_folder(full_folder)
    before = read_pages(full_folder)
    (full_folder / NAME).write_bytes(b"this is no database, and has not been one" * 100)
    assert index_folder(full_folder).read == 50
    assert read_pages(full_folder) == before
    assert index_folder(full_folder).read == 0


@pytest.mark.skipif(
    os.name == "nt" or os.geteuid() == 0, reason="root may write everywhere, Windows otherwise"
)
def test_a_folder_that_is_not_writable_is_reported(
    full_folder: Path, twofold: Callable[..., Any]
) -> None:
    full_folder.chmod(0o500)
    try:
        ran = twofold("index", full_folder)
    finally:
        full_folder.chmod(0o700)
    assert ran.code == 1
    assert "Traceback" not in ran.err
