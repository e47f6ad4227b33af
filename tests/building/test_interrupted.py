"""A kill or a full disk in the middle of a build leaves nothing half-written under a final name."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import CommandResult
from tests.factories.sample_projects import call_hook
from twofold.building import BuildRequest, build_project
from twofold.formats.reader import read_artifact
from twofold_build.atomic import remove_leftovers

Project = Callable[[str], Path]


@pytest.fixture
def large(project: Project) -> Path:
    """A project whose artifacts take a while to write: 60 MB that do not compress."""
    root = project("flat_layout")
    chance = random.Random(0)
    for number in range(30):
        (root / "flat_sample" / f"data{number}.bin").write_bytes(chance.randbytes(2 << 20))
    return root


def artifacts_in(root: Path) -> list[Path]:
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
    while not list((large / "dist").glob(".*.part")) and process.poll() is None:
        time.sleep(0.002)
    time.sleep(pause)
    process.send_signal(signal.SIGKILL)
    process.wait()
    for path in artifacts_in(large):
        if path.name != "repodata.json":
            read_artifact(path)  # raises BadFile for half a file


def hidden(root: Path) -> set[str]:
    return {path.name for path in root.rglob(".*.part")}


def killed(root: Path, made: Path, *words: str | Path) -> None:
    """Run twofold, which makes the folder `made`, and kill it as soon as a hidden file is there.

    On a busy machine it may be done before it is looked at: then it is run again.
    """
    command = [sys.executable, "-m", "twofold", *map(str, words)]
    for _ in range(20):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not hidden(root) and process.poll() is None:
            time.sleep(0.002)
        process.kill()
        process.wait()
        if hidden(root):
            return
        shutil.rmtree(made)


def test_what_a_kill_leaves_is_removed_by_the_next_build(large: Path) -> None:
    killed(large, large / "dist", "build", large)
    assert hidden(large), "the build was quicker than the kill"
    build_project(large, BuildRequest(("wheel",)))
    assert hidden(large) == set()


@pytest.mark.parametrize("command", ["convert", "index"])
def test_what_a_kill_leaves_in_a_channel_is_removed_by_convert_and_index(
    command: str, large: Path, twofold: Callable[..., CommandResult], tmp_path: Path
) -> None:
    made = build_project(large, BuildRequest(("wheel",)))
    channel = tmp_path / "channel"
    killed(channel, channel, "convert", made.artifacts[0].path, "--out", channel)
    assert hidden(channel), "the conversion was quicker than the kill"
    if command == "convert":
        ran = twofold("convert", made.artifacts[0].path, "--out", channel)
    else:
        ran = twofold("index", channel)
    assert ran.code == 0, ran.err
    assert hidden(channel) == set()


def test_what_the_backend_alone_left_is_removed_by_its_next_run(
    large: Path, tmp_path: Path
) -> None:
    left = tmp_path / f".flat_sample-0.1.tar.gz.{dead_process()}.part"
    left.write_bytes(b"half")
    call_hook("build_wheel", large, tmp_path)
    assert not left.exists()


def test_what_another_process_is_writing_stays(tmp_path: Path) -> None:
    code = (
        "import sys; from twofold_build.atomic import AtomicFile; file = AtomicFile(sys.argv[1]);"
        "print('open', flush=True); sys.stdin.read(); file.commit()"
    )
    target = tmp_path / "x.whl"
    process = subprocess.Popen(
        [sys.executable, "-c", code, target], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    (part,) = tmp_path.iterdir()
    os.utime(part, (0, 0))
    assert remove_leftovers(tmp_path) == []
    process.stdin.close()
    assert process.wait(timeout=30) == 0
    process.stdout.close()
    assert [path.name for path in tmp_path.iterdir()] == ["x.whl"]


@pytest.mark.skipif(os.name == "nt", reason="only an open file counts on Windows")
def test_a_file_stays_whose_process_lives_until_it_is_quiet(tmp_path: Path) -> None:
    part = tmp_path / f".x.whl.{os.getppid()}.part"
    part.write_bytes(b"half")
    assert remove_leftovers(tmp_path) == []
    os.utime(part, (0, 0))
    assert remove_leftovers(tmp_path) == [str(part)]


def test_nothing_else_is_removed(tmp_path: Path) -> None:
    names = ["x.part", ".x.part", ".x..part", f"x.{dead_process()}.part", ".x.12-.part.txt"]
    for name in names:
        (tmp_path / name).write_bytes(b"")
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / f".folder.{dead_process()}.part").mkdir()
    assert remove_leftovers(tmp_path, deep=True) == []
    assert remove_leftovers(tmp_path / "absent") == []


def dead_process() -> int:
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


#: Fill a disk of its own with a build, in a namespace that takes the disk along when it ends.
FULL = """\
mount -t tmpfs -o size=4m tmpfs "$1" || exit 77
"$2" -m twofold build "$3" --out "$1" --only "$4"
echo "code $?"
find "$1" -type f
"""


@pytest.mark.parametrize("kinds", ["sdist", "wheel", "conda", "tar.bz2", "sdist,wheel,conda"])
def test_a_full_disk_is_reported_with_its_place_and_holds_nothing(
    kinds: str, large: Path, tmp_path: Path
) -> None:
    if not shutil.which("unshare"):
        pytest.skip("no disk of its own can be made here")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", FULL, "sh", disk, sys.executable, large, kinds],
        capture_output=True,
        text=True,
        check=False,
    )
    if "code" not in done.stdout:
        pytest.skip(f"no disk of its own can be made here: {done.stderr.strip()}")
    assert done.stdout == "code 1\n", done.stdout + done.stderr
    assert f"error: {disk}" in done.stderr
    assert "No space left on device" in done.stderr
    assert "hint: free some space" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="no such limit on Windows")
def test_a_file_that_may_not_grow_is_reported_and_leaves_nothing(large: Path) -> None:
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (9 << 20, 9 << 20));"
        "from twofold.cli import main; sys.exit(main(['build', sys.argv[1]]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, large], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error:" in done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    assert artifacts_in(large) == []
    assert not list(large.rglob("*.part"))


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written_is_reported(large: Path, tmp_path: Path) -> None:
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


def test_a_file_where_dist_must_be_is_reported(project: Project) -> None:
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
