"""Connections whose responses must arrive completely, and in time.

urllib3 limits each wait for bytes, so a server that sends one byte a minute is never timed out,
and `http.client` takes a head that is cut off as a complete one. Both are corrected here, in the
response that `http.client` reads.
"""

from __future__ import annotations

import http.client
import io
import socket
from collections.abc import Mapping
from functools import partial
from typing import Any

from twofold.publish.responses import RetryPolicy
from twofold.publish.transport.time_limit import TimeLimit

#: The limit of the head of a response, with the interim responses before it (bytes).
LARGEST_HEAD = 256 << 10


class TruncatedHead(http.client.RemoteDisconnected):
    """The connection was closed before the head of the response was complete."""


class TimedReader(io.RawIOBase):
    """Reads a socket; every wait ends at the limit of the whole response."""

    #: While it is True, at most LARGEST_HEAD bytes are read.
    is_in_head = True

    def __init__(self, sock: Any, file: io.IOBase, policy: RetryPolicy) -> None:
        self._socket = sock
        self._wait = sock.gettimeout()
        self._limit, self._received = TimeLimit(policy), 0
        self._file = file  # the socket stays open until its connection and its files are closed

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what has come; raises TooSlow after the limit."""
        rest = self._limit.get_rest(self._received)
        self._socket.settimeout(rest if self._wait is None else min(rest, self._wait))
        try:
            size = self._socket.recv_into(buffer)
        except TimeoutError:
            self._limit.get_rest(self._received)
            raise
        self._received += size
        if self.is_in_head and self._received > LARGEST_HEAD:
            raise http.client.HTTPException(f"its head has more than {LARGEST_HEAD >> 10} KiB")
        return int(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        super().close()


class _Lines(io.BufferedReader):
    """Remembers whether a line ended because the connection did."""

    is_cut = False

    def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line."""
        line = super().readline(size)
        self.is_cut = self.is_cut or not line.endswith(b"\n")
        return line


class TimedResponse(http.client.HTTPResponse):
    """A response that is read within the limits of a policy."""

    def __init__(self, sock: socket.socket, *args: Any, policy: RetryPolicy, **more: Any) -> None:
        super().__init__(sock, *args, **more)
        self._reader = TimedReader(sock, self.fp, policy)
        self.fp: Any = _Lines(self._reader)

    def begin(self) -> None:
        """Read the head; interim responses are skipped (RFC 9110, 15.2).

        Raises TruncatedHead if the connection is closed before its end.
        """
        super().begin()
        while 101 < self.status < 200:
            self._require_whole_head()
            self.headers = self.msg = None  # type: ignore[assignment]
            super().begin()
        self._require_whole_head()
        self._reader.is_in_head = False

    def _require_whole_head(self) -> None:
        if getattr(self.fp, "is_cut", False):
            raise TruncatedHead("the head of the answer was cut off")


def make_pool_classes(policy: RetryPolicy, classes: Mapping[str, Any]) -> dict[str, Any]:
    """The pool classes of a manager of urllib3, by scheme, with timed responses."""
    return {scheme: partial(_make_pool, policy, one) for scheme, one in classes.items()}


def _make_pool(policy: RetryPolicy, pool_class: Any, *args: Any, **options: Any) -> Any:
    pool = pool_class(*args, **options)
    pool.ConnectionCls = partial(_make_connection, policy, pool.ConnectionCls)
    return pool


def _make_connection(policy: RetryPolicy, connection_class: Any, *args: Any, **options: Any) -> Any:
    connection = connection_class(*args, **options)
    connection.response_class = partial(TimedResponse, policy=policy)
    return connection
