"""`twofold serve` as a process: starting, saying so, being killed, being stopped."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.factories.packages import make_wheel
from tests.servers.processes import fetch_all_wheels, run_server, upload, wait_until
from twofold.cli import main
from twofold.server import run
from twofold.server.app import open_registry
from twofold.server.settings import Settings


def test_every_line_of_the_log_is_json_whatever_comes(tmp_path: Path) -> None:
    stderr = tmp_path / "stderr"
    with stderr.open("w") as file, run_server(tmp_path / "data", stderr=file) as (_, on):
        host, port = on["url"].removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=120) as wire:
            wire.sendall(b"\x16\x03\x01 TLS where HTTP is spoken\r\n\r\n")
            assert wire.recv(100).startswith(b"HTTP/1.1 400")
        requests.post(f"{on['url']}/nothing", timeout=120)
        wait_until(lambda: stderr.read_text().count("\n") == 2)
    entries = [json.loads(line) for line in stderr.read_text().splitlines()]
    assert [entry.get("level") or entry["status"] for entry in entries] == ["warning", 405]


def test_a_fault_of_ours_is_one_line_with_its_traceback() -> None:
    try:
        raise KeyError("a fault")
    except KeyError:
        logged = logging.LogRecord("x", logging.ERROR, "", 1, "failed %s", ("so",), sys.exc_info())
    entry = json.loads(run.format_record(logged))
    assert entry["message"] == "failed so" and "KeyError: 'a fault'" in entry["traceback"]


def test_the_token_is_shown_on_the_first_start_only(tmp_path: Path) -> None:
    with run_server(tmp_path / "data") as (_, first):
        assert set(first) == {"url", "token"}
        assert requests.get(f"{first['url']}/readyz", timeout=120).json()["status"] == "ok"
    with run_server(tmp_path / "data") as (_, second):
        assert set(second) == {"url"}


@pytest.mark.windows
def test_a_port_in_use_is_reported_with_a_hint(tmp_path: Path, twofold: Callable[..., Any]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = twofold("serve", "--port", str(taken.getsockname()[1]), "--data", tmp_path / "d")
    assert ran.code == 1
    assert "is in use" in ran.err
    assert "hint: " in ran.err


def test_nothing_acknowledged_is_lost_and_nothing_half_published_is_shown_after_a_kill(
    tmp_path: Path,
) -> None:
    """Uploads in a stream, kill -9 in the middle, start again: every page agrees with the files."""
    data, acknowledged = tmp_path / "data", []
    wheels = [
        make_wheel(tmp_path / "in", f"p{n}", "1.0", code=f"x = {n}\n" * 5000) for n in range(40)
    ]
    with run_server(data) as (process, ready):
        token = ready["token"]

        def uploads() -> None:
            for wheel in wheels:
                try:
                    if upload(ready, token, wheel).status_code == 200:
                        acknowledged.append(wheel.name)
                except requests.RequestException:
                    return

        thread = threading.Thread(target=uploads)
        thread.start()
        while len(acknowledged) < 5:
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
        process.wait(120)
        thread.join()
    with run_server(data) as (_, again):
        shown = fetch_all_wheels(again["url"])
        assert set(acknowledged) <= set(shown)
        assert len(shown) <= len(acknowledged) + 1
        for wheel in wheels:  # and the same uploads can go on
            assert upload(again, token, wheel).status_code == 200
        assert set(fetch_all_wheels(again["url"])) == {wheel.name for wheel in wheels}


def wait_for_requests_under_way(url: str) -> None:
    """Until a server answers another request than the one that asks."""
    deadline = time.monotonic() + 120
    while "twofold_requests_under_way 2" not in requests.get(f"{url}/metrics", timeout=60).text:
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_a_stopped_server_finishes_what_is_under_way(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    body = wheel.read_bytes()
    with run_server(tmp_path / "data") as (process, ready):
        host, _, port = ready["url"].removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=120) as client:
            head = f"POST /main/upload HTTP/1.1\r\nHost: x\r\nx-file-name: {wheel.name}\r\n"
            head += f"Authorization: Bearer {ready['token']}\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body[:100])
            wait_for_requests_under_way(ready["url"])
            process.terminate()
            time.sleep(0.2)  # most likely it is told by now; if not, it finishes all the same
            client.sendall(body[100:])
            assert client.recv(4096).startswith(b"HTTP/1.1 200")
        assert process.wait(120) in (0, -signal.SIGTERM)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--database", "nonsense"], "'nonsense' is not a supported"),
        (
            ["--database", "mysql://ann:secret@host/name"],
            "'mysql://...' is not a supported",
        ),
        (["--objects", "ftp://host/there"], "not a valid object store"),
        (["--objects", "s3://"], "has no bucket name"),
        (["--objects", "s3://bucket?endpont=http://127.0.0.1:9"], "endpont"),
        (["--objects", "s3://bucket?endpoint=127.0.0.1:9"], "is not an endpoint"),
        (["--database", "sqlite://"], "names no file"),
        (["--host", "203.0.113.7"], "cannot listen on 203.0.113.7"),
        (["--tls-cert", "absent.pem"], "absent.pem"),
        (["--tls-cert", __file__], "not a certificate with its key"),
        (["--tls-key", __file__], "a key without its certificate"),
    ],
)
def test_an_invalid_setting_is_reported(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", "--port", "0", "--data", str(tmp_path), *words]) == 1
    logged = capsys.readouterr().err
    assert message in logged
    assert "hint: " in logged
    assert "secret" not in logged


@pytest.mark.skipif(os.name == "nt", reason="modes are POSIX's")
def test_the_data_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    data = tmp_path / "d"
    data.mkdir(mode=0o755)
    open_registry(Settings(data)).database.close()
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    command = [sys.executable, "-m", "twofold", "admin", "user", "ann", "--data", str(data)]
    old = os.umask(0o022)
    try:
        subprocess.run(command, check=True, timeout=60)
    finally:
        os.umask(old)
    new = [path for path in data.rglob("*") if path.name.endswith(("-wal", "-shm"))]
    assert all(not path.stat().st_mode & 0o077 for path in new)


def test_the_location_may_follow_the_verb_of_a_group(tmp_path: Path) -> None:
    open_registry(Settings(tmp_path / "d")).database.close()
    command = [sys.executable, "-m", "twofold", "admin", "upstream", "list", "--data"]
    subprocess.run([*command, str(tmp_path / "d")], check=True, timeout=60)
