"""A kill or a full disk in the middle of a build leaves nothing half-written under a final name."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from twofold.formats.opening import read

Project = Callable[[str], Path]


@pytest.fixture
def large(project: Project) -> Path:
    """A project whose artifacts take a while to write: 60 MB that do not compress."""
    root = project("flat_layout")
    chance = random.Random(0)
    for number in range(30):
        (root / "flat_sample" / f"data{number}.bin").write_bytes(chance.randbytes(2 << 20))
    return root


def standing(root: Path) -> list[Path]:
    """The files that stand under names users see."""
    folders = [root / "dist", root / "conda-bld"]
    found = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    return sorted(path for path in found if not path.name.startswith("."))


@pytest.mark.skipif(os.name == "nt", reason="no such signal on Windows")
@pytest.mark.parametrize("pause", [0.0, 0.05, 0.2])
def test_a_kill_leaves_whole_files_or_none(large: Path, pause: float) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "twofold", "build", large],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deadline = time.monotonic() + 30
    while not list((large / "dist").glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.002)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=10)
    for path in standing(large):
        if path.name != "repodata.json":
            read(path)  # raises BadFile for half a file


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_a_full_disk_is_told_and_leaves_nothing(large: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 9 << 20));"
        "from twofold.cli import main; sys.exit(main(['build', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, large], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert standing(large) == []
    assert not list(large.rglob("*.part"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_told(large: Path, tmp_path: Path) -> None:
    out = tmp_path / "closed"
    out.mkdir(mode=0o500)
    done = subprocess.run(
        [sys.executable, "-m", "twofold", "build", large, "--out", out],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "hint:" in done.stderr


def test_a_file_where_dist_must_be_is_told(project: Project) -> None:
    root = project("flat_layout")
    (root / "dist").write_text("not a folder")
    done = subprocess.run(
        [sys.executable, "-m", "twofold", "build", root],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
