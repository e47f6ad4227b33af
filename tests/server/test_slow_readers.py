"""A client that does not read its response holds nothing for long."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.factories.packages import make_sdist
from tests.server.conftest import Place, serve

SIZE = 12 << 20


@pytest.fixture
def hasty(place: Place, tmp_path: Path) -> Iterator[Place]:
    """A server with a short time for readers, and a file that no buffer of the kernel holds."""
    sdist = make_sdist(tmp_path, "large", "1.0", more={"data.bin": os.urandom(SIZE)})
    place.publish(sdist)
    place.settings = replace(place.settings, send_timeout=0.4)
    with serve(place):
        yield place


def connect(place: Place) -> socket.socket:
    where = urlsplit(place.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
    client.settimeout(20)
    client.connect((where.hostname or "", where.port or 0))
    return client


def find_path(place: Place) -> str:
    [file] = place.get("/main/pypi/large/json").json()["urls"]
    return str(file["url"]).removeprefix(place.url)


def request(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *headers, "", ""]).encode()


@pytest.mark.parametrize("kind", ["a file, then closed", "pipelined files"])
def test_a_response_that_nobody_reads_is_cut_off(hasty: Place, kind: str) -> None:
    path = find_path(hasty)
    sent = {
        "a file, then closed": request(path, "Connection: close"),
        "pipelined files": request(path) * 3,
    }[kind]
    with connect(hasty) as client:
        client.setblocking(False)
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            try:
                sent = sent[client.send(sent) :] if sent else b""
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
            time.sleep(0 if sent else 0.1)
        client.setblocking(True)
        client.settimeout(20)
        total = 0
        try:
            while block := client.recv(1 << 20):
                total += len(block)
        except ConnectionError:
            pass
    assert total < SIZE / 2
    assert hasty.get("/healthz").status_code == 200


def test_a_response_that_is_read_slowly_but_steadily_arrives_whole(hasty: Place) -> None:
    with connect(hasty) as client:
        client.sendall(request(find_path(hasty), "Connection: close"))
        total = 0
        slow_until = time.monotonic() + 1.6
        while block := client.recv(8192 if time.monotonic() < slow_until else 1 << 20):
            total += len(block)
            if time.monotonic() < slow_until:
                time.sleep(0.01)
    assert total > SIZE
