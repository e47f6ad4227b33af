"""A client that drips its body holds nothing for long."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

import pytest

from tests.server.conftest import Place
from twofold.server.web import request_body

HEAD = "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
FORM = "Content-Type: multipart/form-data; boundary=b\r\n"
START = '--b\r\nContent-Disposition: form-data; name="content"; filename="a-1.tar.gz"\r\n\r\n'


@pytest.mark.parametrize(
    ("method", "path", "kind", "start"),
    [
        ("POST", "/main/legacy/", FORM, START),
        ("POST", "/_/oidc/mint-token", "Content-Type: application/json\r\n", '{"token": "'),
        ("POST", "/api/manage/users", "Content-Type: application/json\r\n", '{"name": "'),
    ],
)
def test_a_body_that_comes_too_slowly_is_refused_and_leaves_nothing(
    served: Place, monkeypatch: pytest.MonkeyPatch, method: str, path: str, kind: str, start: str
) -> None:
    monkeypatch.setattr(request_body, "GRACE_SECONDS", 0.5)
    head = HEAD.format(method=method, path=path, token=served.token)
    where = urlsplit(served.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as client:
        client.sendall(f"{head}{kind}Content-Length: 50000\r\n\r\n{start}".encode())
        answer = b""
        while block := client.recv(65536):  # until the server hangs up
            answer += block
    assert answer.startswith(b"HTTP/1.1 408 "), answer
    assert b"too slowly" in answer
    spool = served.settings.spool
    assert not spool.exists() or list(spool.iterdir()) == []


def test_a_body_that_comes_slowly_but_steadily_is_taken(
    served: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "GRACE_SECONDS", 0.3)
    head = HEAD.format(method="POST", path="/main/legacy/", token=served.token)
    body = START.encode() + b"x" * 8192
    where = urlsplit(served.url)
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=30) as client:
        client.sendall(f"{head}{FORM}Content-Length: {len(body) + 9}\r\n\r\n".encode() + body)
        time.sleep(1.0)
        client.sendall(b"\r\n--b--\r\n")
        answer = client.recv(65536)
    assert not answer.startswith(b"HTTP/1.1 408 "), answer
