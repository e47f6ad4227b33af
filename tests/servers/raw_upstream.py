"""An upstream that answers exactly what a test says, byte for byte."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

JSON = "application/vnd.pypi.simple.v1+json"

#: What an upstream answers: the bytes, or a function that is given the connection.
Answer = bytes | Callable[[socket.socket], None]


class RawUpstream:
    """A server on loopback whose `answers`, by path, are sent as they are.

    `requested` are the paths of all requests. Each connection serves one request.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.default: Answer = make_answer(b"", 404)
        self.requested: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(line,), daemon=True).start()

    def _answer(self, line: socket.socket) -> None:
        with line, line.makefile("rb") as stream:
            first = stream.readline()
            while stream.readline() not in (b"\r\n", b""):
                pass
            path = first.split(b" ")[1].decode()
            self.requested.append(path)
            answer = self.answers.get(path, self.default)
            with suppress(OSError):  # the client has had enough
                answer(line) if callable(answer) else line.sendall(answer)


def make_answer(body: bytes, status: int = 200, **headers: str) -> bytes:
    """Return a response that ends its connection; `_` in names of headers is a dash."""
    named = {"Content-Length": str(len(body)), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} status\r\n{head}\r\n".encode() + body


def make_entry(filename: str, content: bytes, **keys: Any) -> dict[str, Any]:
    """Return a file's entry of PEP 691; its URL is /files/NAME."""
    hashes = {"sha256": hashlib.sha256(content).hexdigest()}
    return {"filename": filename, "url": f"/files/{filename}", "hashes": hashes, **keys}


def make_page(*entries: object, **keys: Any) -> bytes:
    """Return the response with a project's page (PEP 691)."""
    value = {"meta": {"api-version": "1.1"}, "name": "spam", "files": entries, **keys}
    return make_answer(json.dumps(value).encode(), Content_Type=JSON)
