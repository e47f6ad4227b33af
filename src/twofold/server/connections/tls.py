"""TLS whose handshakes count as connections.

Given the certificate, uvicorn sees a connection when its handshake is done. Those that never do it
would be held outside of all limits, a file each, and asyncio drops them only after a minute.
"""

from __future__ import annotations

import asyncio
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from typing import Any, cast

from twofold.server.client_address import plain_address
from twofold.server.connections.http_protocol import HttpProtocol
from twofold.server.connections.limits import ConnectionLimits


class TlsProtocol(SSLProtocol):
    """The encrypted side of a connection, counted until the handshake is done."""

    def __init__(
        self,
        make_http: Callable[[], HttpProtocol],
        context: ssl.SSLContext,
        limits: ConnectionLimits,
    ) -> None:
        http = make_http()
        http.before_counted = self._stop_counting
        super().__init__(
            asyncio.get_running_loop(),
            http,
            context,
            cast(Any, None),  # nothing waits for the handshake
            server_side=True,
            ssl_handshake_timeout=cast(Any, limits.head_timeout),
        )
        self.address = ""
        self._limits = limits
        self._is_counted = False
        self._plain: asyncio.Transport | None = None

    def connection_made(self, transport: Any) -> None:
        """Begin the handshake, or close the connection: without one there is no way to say why."""
        self._plain = transport
        peer = transport.get_extra_info("peername")
        self.address = plain_address(peer[0]) if peer else ""
        self._is_counted = True
        is_admitted = self._limits.admit(self)
        super().connection_made(transport)
        if is_admitted:
            self._limits.set_waiting(self, True)
        else:
            transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self._stop_counting()
        super().connection_lost(exc)

    def give_way(self) -> None:
        """Close the connection for another one."""
        if self._plain is not None:
            self._plain.abort()

    def _stop_counting(self) -> None:
        if self._is_counted:
            self._is_counted = False
            self._limits.forget(self)
