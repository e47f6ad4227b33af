"""uvicorn's HTTP protocol with reason phrases and with limits of a request's head and connections.

Neither httptools nor uvicorn limits the size of a head, the time it takes or the number of
connections, so that one client could take all memory, or all files, without a login.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from twofold.errors import Refused
from twofold.server.client_address import plain_address
from twofold.server.connections.limits import ConnectionLimits
from twofold.server.web.error_responses import REASON_HEADER, problem_response
from twofold.server.web.request_body import MIN_BYTES_PER_SECOND

#: Requests of one connection that may wait for the response before them. uvicorn reads on while
#: they wait, so that a client who reads no response had them all kept.
MAX_PIPELINED = 32


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *args: Any, limits: ConnectionLimits, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limits = limits
        self.address = ""
        self.before_counted: Callable[[], None] = lambda: None  # ends the count of a handshake
        self.written = 0  # bytes of responses handed to the transport
        self._refusal = Refused("malformed-http", "The request is not HTTP that can be read")
        self._deadline: asyncio.TimerHandle | None = None
        self._is_responding = False
        self._head_size = 0
        self._unread = 0  # bytes that the parser keeps: part of a header, or of a chunk's extension
        self._discarded = 0  # bytes of a body that no request reads any more
        self._has_parsed = False
        self._is_ending = False  # no request is taken any more

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit the connection, or refuse it."""
        super().connection_made(transport)
        if self.client:
            self.client = plain_address(self.client[0]), self.client[1]
            self.address = self.client[0]
        self.limits.slow_readers.watch(self)
        self.before_counted()
        if not self.limits.admit(self):
            text = "There are too many connections"
            self._refusal = Refused("too-many-connections", text, "close some", 503)
            self.send_400_response("")
            return
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_deadline()
        self.limits.slow_readers.forget(self)
        self.limits.forget(self)
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Close the connection, which waits for a request, for another one."""
        self._stop_deadline()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Parse bytes, within the limits."""
        if self._deadline is None and not self._is_responding:
            self._start_deadline()
        self._has_parsed = False
        super().data_received(data)
        self._unread = 0 if self._has_parsed else self._unread + len(data)
        if self._unread > self.limits.max_head and not self.transport.is_closing():
            self._refuse_head()
            self.send_400_response("")

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._has_parsed = True
        self._head_size = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the request line."""
        self._count_head(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count_head(name, value)
        super().on_header(name, value)

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._has_parsed = True
        if not self._is_responding:
            self._discarded += len(body)
        if not self._is_ending:
            super().on_body(body)

    def on_chunk_complete(self) -> None:
        """Take the end of a chunk."""
        self._has_parsed = True

    def on_message_complete(self) -> None:
        """End a request."""
        self._has_parsed = True
        if not self._is_ending:
            super().on_message_complete()

    def _count_head(self, *parts: bytes) -> None:
        self._has_parsed = True
        self._head_size += sum(map(len, parts))
        if self._head_size > self.limits.max_head:
            self._refuse_head()
            raise ValueError("the head is too large")  # the parser stops

    def _refuse_head(self) -> None:
        kib = self.limits.max_head >> 10
        if self.headers:
            text = f"The headers are larger than {kib} KiB"
            self._refusal = Refused("headers-too-large", text, "send fewer", 431)
        else:
            text = f"The request line is longer than {kib} KiB"
            self._refusal = Refused("url-too-long", text, "shorten the URL", 414)

    def on_headers_complete(self) -> None:
        """Start the request, with a transport that adds the reason phrase to its head.

        Where too many wait already, the connection ends with the response to the last of them; a
        client sends the others again (RFC 9112, 9.3.2).
        """
        self._has_parsed = True
        if len(self.pipeline) >= MAX_PIPELINED:
            self._is_ending, self.cycle.keep_alive = True, False
        if self._is_ending:
            return
        self._stop_deadline()
        self._is_responding = True
        self.limits.set_waiting(self, False)
        transport = self.transport
        self.transport = cast(asyncio.Transport, HeadTransport(self, transport))
        try:
            super().on_headers_complete()
        finally:
            self.transport = transport

    def on_response_complete(self) -> None:
        """Wait for the next request, unless one has come already."""
        has_next = bool(self.pipeline)
        super().on_response_complete()
        if self.pipeline:
            self.flow.pause_reading()
        if not has_next:
            self._is_responding = False
            self.limits.set_waiting(self, True)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Refuse what cannot be parsed, or exceeds a limit, with a problem response."""
        if not self._is_responding:  # nothing may be mixed into another response
            status, problem = self._refusal.status, self._refusal.problems[0]
            answer = problem_response(
                self._refusal.code, problem.message, problem.hint or "", status
            )
            headers = [name + b": " + value for name, value in answer.raw_headers]
            lines = [b"HTTP/1.1 %d " % status, *headers, b"connection: close", b"", answer.body]
            self.transport.write(add_reason_phrase(b"\r\n".join(map(bytes, lines))))
        self.transport.close()

    def _wait(self) -> None:
        self.limits.set_waiting(self, True)
        self._start_deadline()

    def _start_deadline(self) -> None:
        self._discarded = 0
        self._deadline = self.loop.call_later(self.limits.head_timeout, self._on_deadline)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _on_deadline(self) -> None:
        """Close a connection whose request did not come in time, or whose body goes on slowly."""
        if self._discarded >= MIN_BYTES_PER_SECOND * self.limits.head_timeout:
            self._start_deadline()
            return
        self._deadline = None
        if self._has_begun_request:
            text = f"The request did not come within {self.limits.head_timeout:.0f} seconds"
            self._refusal = Refused("too-slow", text, "send it at once", 408)
            self.send_400_response("")
        else:
            self.transport.close()

    @property
    def _has_begun_request(self) -> bool:
        return self.scope is not None and "path" not in self.scope


class HeadTransport:
    """The transport of one response: adds the reason phrase to its head, and to nothing else."""

    def __init__(self, protocol: HttpProtocol, transport: asyncio.Transport) -> None:
        self._protocol = protocol
        self._transport = transport
        self._is_head_written = False

    def write(self, data: bytes) -> None:
        """Write the head, or a part of the body as it is; nothing once the client has left."""
        if self._transport.is_closing():
            return
        if not self._is_head_written and not data.startswith(b"HTTP/1.1 100 "):
            self._is_head_written = True
            data = add_reason_phrase(data)
        self._protocol.written += len(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def add_reason_phrase(head: bytes) -> bytes:
    """Move the value of `x-reason` into the status line of a response head."""
    mark = REASON_HEADER + b": "
    if mark not in head:
        return head
    lines = head.split(b"\r\n")
    for number, line in enumerate(lines[1:], 1):
        if not line:
            break
        if line.startswith(mark):
            lines[0] = lines[0][: len(b"HTTP/1.1 400 ")] + line[len(mark) :]
            del lines[number]
            return b"\r\n".join(lines)
    return head
