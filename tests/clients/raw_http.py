"""A client that sends requests exactly as given, also malformed ones."""

from __future__ import annotations

import http.client
import json
import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from tests.server.conftest import Place


class Wire:
    """A connection that sends requests exactly as given."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.parts = urlsplit(place.url)

    def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        media: str = "application/json",
        **headers: str,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        connection = http.client.HTTPConnection(
            str(self.parts.hostname), self.parts.port, timeout=120
        )
        own = {"Authorization": f"token {self.place.token}", "Content-Type": media, **headers}
        try:
            connection.putrequest(method, path, skip_accept_encoding=True)
            for name, value in {**own, "Content-Length": str(len(body))}.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer, answer.read()
        finally:
            connection.close()

    def refused(self, method: str, path: str, body: bytes = b"", **more: str) -> str:
        """Return the reason of a refusal, and check that all three places have it."""
        answer, content = self.send(method, path, body, **more)
        where = f"{method} {path[:200]}: {answer.status} {answer.reason} {content[:300]!r}"
        assert 400 <= answer.status < 500, where
        assert answer.headers.get_content_type() == "application/problem+json", where
        problem = json.loads(content)
        assert problem["status"] == answer.status and problem["detail"] and problem["code"], where
        assert problem["error"] == problem["message"], where
        assert answer.reason and "\n" not in answer.reason and len(answer.reason) <= 400, where
        assert "Traceback" not in content.decode(), where
        return str(problem["message"])


def raw(place: Place, request: bytes) -> bytes:
    """Send any bytes and return the first bytes of the response."""
    parts = urlsplit(place.url)
    with socket.create_connection((parts.hostname, parts.port or 80), timeout=120) as line:
        line.sendall(request)
        return line.recv(4096)
