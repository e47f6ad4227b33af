"""Server processes on loopback, and a pypiserver among them."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

#: The user of the private pypiserver, and a password that a netrc file and an address must quote.
USER, PASSWORD = "me", 'zq"7f3e9 @the:pass\\word#'


def find_free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


#: Makes the command of a server from its port.
Command = Callable[[int], list[str]]


def start_server(command: Command, path: str, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A server process that answers at `path`, and its address.

    The port is free when it is chosen; whoever takes it before the server does makes the server
    end, and it is started on another.
    """
    for _ in range(5):
        port = find_free_port()
        with log.open("wb") as out:
            process = subprocess.Popen(command(port), stdout=out, stderr=subprocess.STDOUT)
        if _wait_until_ready(process, f"http://127.0.0.1:{port}{path}"):
            return process, f"http://127.0.0.1:{port}"
    raise AssertionError(log.read_text(errors="replace"))


def _wait_until_ready(process: subprocess.Popen[bytes], address: str) -> bool:
    """Wait until a server answers, long enough for a machine that is very busy."""
    until = time.monotonic() + 300
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=30):
            return process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    return False


def end_server(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def start_pypiserver(folder: Path, started: Callable[[Command], str], rights: list[str]) -> str:
    folder.mkdir()
    command = [sys.executable, "-m", "pypiserver", "run", "-i", "127.0.0.1"]
    more = ["--backend", "simple-dir", *rights, str(folder)]
    return started(lambda port: [*command, "-p", str(port), *more])
