"""Closes connections whose client does not read its response: each holds a file and a buffer.

A body that comes too slowly is the request's own affair (`web.request_body`); nothing there sees a
response that nobody takes, nor one that was cut off and waits in the buffer of a closed connection.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from twofold.server.web.request_body import MIN_BYTES_PER_SECOND

log = logging.getLogger("twofold.server")


class Connection(Protocol):
    """What is watched of a connection; `written` counts the bytes handed to its transport."""

    address: str
    written: int
    transport: asyncio.Transport


@dataclass
class SlowReaders:
    """Looks at all connections every `timeout` seconds.

    One that had unsent bytes at two looks must have taken a minimum of bytes in between.
    """

    timeout: float = 60.0
    _taken: dict[Connection, int | None] = field(default_factory=dict)
    _next_look: asyncio.TimerHandle | None = None

    def watch(self, connection: Connection) -> None:
        """Watch a connection until `forget`."""
        self._taken[connection] = None
        if self._next_look is None:
            self._schedule()

    def forget(self, connection: Connection) -> None:
        """Stop watching a connection."""
        self._taken.pop(connection, None)

    def _schedule(self) -> None:
        self._next_look = asyncio.get_running_loop().call_later(self.timeout, self._look)

    def _look(self) -> None:
        self._next_look = None
        for connection, before in list(self._taken.items()):
            unsent = connection.transport.get_write_buffer_size()
            if not unsent:
                self._taken[connection] = None
                continue
            taken = connection.written - unsent - count_unacknowledged(connection.transport)
            if before is not None and taken - before < MIN_BYTES_PER_SECOND * self.timeout:
                entry = {"closed": "slow-reader", "client": connection.address, "unsent": unsent}
                log.info(json.dumps(entry))
                connection.transport.abort()
            self._taken[connection] = taken
        if self._taken:
            self._schedule()


def _find_queue_size() -> Callable[[int], int]:
    """Return what reads how many bytes of a socket the client has not acknowledged."""
    if sys.platform != "linux":
        return lambda _socket: 0  # the kernel's buffer counts as taken there
    import fcntl
    import termios

    def read(socket: int) -> int:
        size = fcntl.ioctl(socket, termios.TIOCOUTQ, b"\0\0\0\0")
        return int.from_bytes(size, sys.byteorder)

    return read


_read_queue_size = _find_queue_size()


def count_unacknowledged(transport: asyncio.Transport) -> int:
    """Count the bytes in the kernel's buffer that the client has not acknowledged."""
    socket = transport.get_extra_info("socket")
    descriptor = socket.fileno() if socket is not None else -1
    return _read_queue_size(descriptor) if descriptor >= 0 else 0
