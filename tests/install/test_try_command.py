"""`twofold try` as a new user meets it: wrong words, private channels, breaking it off."""

from __future__ import annotations

import functools
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.factories.versioned_wheels import make_wheel
from tests.servers.private_channel import PrivateChannel
from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.index.folder import index_folder
from twofold_build.archive import Content, Entry

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="repacking is for Linux")


def put(folder: Path, package: CondaPackage, code: bytes | None = None) -> Path:
    path = folder / f"{package.stem}.conda"
    folder.mkdir(parents=True, exist_ok=True)
    writer = CondaWriter(path, package)
    if code is not None:
        entry = Entry(f"site-packages/{package.name}/__init__.py", data=code)
        writer.add(entry, Content(code, hashlib.sha256(code).digest()))
    writer.close()
    return path


def test_wrong_words_and_files_that_are_none_are_reported(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    assert twofold("try", "--nothing").code == 2
    gone = twofold("try", "gone-1.0-py3-none-any.whl")
    assert (gone.code, "Traceback" in gone.err) == (1, False)
    assert "no such file" in gone.err
    (tmp_path / "bad-1.0-py3-none-any.whl").write_bytes(b"no zip")
    bad = twofold("try", "bad-1.0-py3-none-any.whl")
    assert bad.code == 1
    assert "bad-1.0-py3-none-any.whl" in bad.err
    nothing = twofold("try")
    assert nothing.code == 1
    assert "twofold build" in nothing.err


@linux_only
def test_a_package_that_only_requires_others_works_when_it_can_be_installed(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    base = put(tmp_path, CondaPackage("base_of_all", "1", depends=["python"]), b"x = 1\n")
    more = put(
        tmp_path,
        CondaPackage("all-of-it", "1", build="0", noarch="generic", depends=["base_of_all"]),
    )
    ran = twofold("try", base, more)
    assert ran.code == 0, ran.out
    assert ran.out.count("conda: works") == 2


def test_an_entry_point_without_its_program_is_reported(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    package = CondaPackage("my_package", "1", depends=["python"])
    folder = "site-packages/my_package-1.dist-info"
    files = {
        "site-packages/my_package/__init__.py": b"def main(): ...\n",
        f"{folder}/METADATA": b"Metadata-Version: 2.1\nName: my_package\nVersion: 1\n",
        f"{folder}/entry_points.txt": b"[console_scripts]\ntool = my_package:main\n",
        f"{folder}/RECORD": b"",
    }
    path = tmp_path / f"{package.stem}.conda"
    writer = CondaWriter(path, package)  # its link.json names no entry point
    for name, data in files.items():
        writer.add(Entry(name), Content(data, hashlib.sha256(data).digest()))
    writer.close()
    ran = twofold("try", path)
    if sys.platform == "linux":
        assert "FAIL entry point tool" in ran.out
        assert "no program tool" in ran.out
    assert ran.code == 1


@linux_only
def test_a_private_channel_is_opened_with_its_token_which_stands_in_no_command(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    channel = tmp_path / "channel"
    put(channel / "noarch", CondaPackage("secret_base", "1", depends=["python"]), b"x = 1\n")
    index_folder(channel)
    from twofold.install.repack_python import repack_python

    public = tmp_path / "public"
    repack_python(public)
    index_folder(public)
    package = CondaPackage("user_of_it", "1", depends=["python", "secret_base"])
    user = put(tmp_path, package, b"import secret_base\n")
    handler = functools.partial(PrivateChannel, directory=str(channel))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}/private"
    words = ("try", user, "--channel", address, "--channel", str(public), "--only")
    try:
        closed = twofold(*words)
        opened = twofold(*words, env={"TWOFOLD_TOKEN": "secret-token"})
    finally:
        server.shutdown()
        server.server_close()
    assert closed.code == 1
    assert "conda: FAILS" in closed.out
    assert opened.code == 0, opened.out + opened.err
    assert "secret-token" not in opened.out + opened.err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_trial_that_is_broken_off_leaves_nothing_behind(
    tmp_path: Path, sent: signal.Signals
) -> None:
    code = (
        "import pathlib, time\npathlib.Path(__file__).with_name('began').touch()\ntime.sleep(60)\n"
    )
    wheel = make_wheel(tmp_path, "my_package", "1.0", code=code)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "twofold", "try", str(wheel)],
        env={**os.environ, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    until = time.monotonic() + 120
    # os.walk passes over what pip removes meanwhile; rglob fails there.
    while not any("began" in files for _, _, files in os.walk(temporary)):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert list(temporary.glob("twofold-try-*"))
    process.send_signal(sent)
    _, message = process.communicate(timeout=30)
    assert process.returncode == 130, message
    assert b"interrupted" in message
    assert list(temporary.iterdir()) == []


@linux_only
@pytest.mark.slow
def test_breaking_off_at_any_moment_of_solving_and_linking_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    """py-rattler's threads write on for a moment after the interruption."""
    code = b"import time\ntime.sleep(60)\n"
    package = put(tmp_path, CondaPackage("sleepy", "1", depends=["python"]), code)
    for tenths in range(5, 25):
        temporary = tmp_path / f"after-{tenths}"
        temporary.mkdir()
        process = subprocess.Popen(
            [sys.executable, "-m", "twofold", "try", str(package)],
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        time.sleep(tenths / 10)
        os.killpg(process.pid, signal.SIGINT)
        message, _ = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT), message  # a start is no trial yet
        assert list(temporary.iterdir()) == [], message


@pytest.mark.skipif(sys.platform != "linux", reason="the running Python is repacked on Linux")
def test_this_machines_python_serves_where_no_channel_has_one(
    twofold: Callable[..., Any], tmp_path: Path
) -> None:
    """Channels add to the others, and `--only` leaves conda-forge out."""
    put(tmp_path / "first" / "noarch", CondaPackage("engine", "1", depends=["python"]), b"x = 1\n")
    index_folder(tmp_path / "first")
    package = CondaPackage("car", "1", depends=["python", "engine"])
    put(tmp_path / "second" / "noarch", package, b"import engine\n")
    index_folder(tmp_path / "second")
    words = ("install", "car", "--from", "./second", "--conda", "env", "--channel", "./first")
    ran = twofold(*words, "--only", "--json")
    assert ran.code == 0, ran.err
    assert "no channel has a Python: using this machine's Python" in ran.err
    assert {"car", "engine", "python"} <= {one["name"] for one in ran.json["packages"]}
    missing = twofold("install", "car", "--from", "./second", "--conda", "no", "--only")
    assert missing.code == 1
    assert "engine" in missing.err
    assert "twofold convert NAME --out DIR" in missing.err
