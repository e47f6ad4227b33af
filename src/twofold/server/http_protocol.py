"""Status lines with a reason: `HTTP/1.1 400 File already exists (...)`.

twine and pip show people the reason phrase of a refusal and nothing else, and ASGI has no word for
it. An answer that carries the header `x-reason` gets its value as reason phrase; the header itself
does not leave the server. The reason is printable Latin-1 without line ends and not long: it can
neither end the status line nor add a header.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEADER = b"x-reason"

#: twine and pip print one line; proxies cut status lines at 4 or 8 kB.
MAX_LENGTH = 400


def make_reason_phrase(message: str) -> bytes:
    """A message as a reason phrase (RFC 9112: printable characters, spaces and tabs)."""
    line = " ".join(message.split())
    plain = "".join(c if 32 <= ord(c) < 127 or 160 <= ord(c) < 256 else "?" for c in line)
    return (plain if len(plain) <= MAX_LENGTH else plain[: MAX_LENGTH - 3] + "...").encode(
        "latin-1"
    )


class _ReasonTransport:
    """A transport that gives the head of a refusal its reason; everything else passes through."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self.write_as_it_is = transport.write

    def write(self, data: bytes) -> None:
        if data.startswith((b"HTTP/1.1 4", b"HTTP/1.1 5")):
            data = add_reason_phrase(data)
        self.write_as_it_is(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def add_reason_phrase(head: bytes) -> bytes:
    """The head of an answer with the value of `x-reason` in its status line."""
    lines = head.split(b"\r\n")
    mark = HEADER + b": "
    for number, line in enumerate(lines[1:], 1):
        if not line:
            break
        if line.startswith(mark):
            lines[0] = lines[0][: len(b"HTTP/1.1 400 ")] + line[len(mark) :]
            del lines[number]
            return b"\r\n".join(lines)
    return head


class ReasonProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, writing through such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(cast(asyncio.Transport, _ReasonTransport(transport)))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What is no HTTP is refused like everything else that cannot be read."""
        from twofold.server.web.error_responses import problem_response

        answer = problem_response("malformed-http", "The request is not HTTP that can be read")
        headers = [name + b": " + value for name, value in answer.raw_headers]
        lines = [b"HTTP/1.1 400 Bad Request", *headers, b"connection: close", b"", answer.body]
        self.transport.write(b"\r\n".join(map(bytes, lines)))
        self.transport.close()
