"""Connections: to a checked address, or through the proxy of the environment.

HTTP_PROXY, HTTPS_PROXY and NO_PROXY name the proxy. A proxy resolves names itself, so the checks
are weaker than without one: names that resolve to non-public addresses here are refused, the proxy
decides about the others.
"""

from __future__ import annotations

import base64
import http.client
import io
import ipaddress
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from twofold.errors import Unreachable

#: Idle connections kept to one server, and for how long (seconds): servers close them later.
MAX_IDLE, IDLE_SECONDS = 8, 10.0


def find_context() -> ssl.SSLContext:
    """Return the TLS context with the machine's authorities, or those that SSL_CERT_FILE names."""
    names = [os.environ.get(name, "") for name in ("SSL_CERT_FILE", "SSL_CERT_DIR")]
    changed = [Path(name).stat().st_mtime_ns for name in names if name and Path(name).exists()]
    return _make_context((*names, *changed))


@lru_cache(maxsize=4)
def _make_context(environment: tuple[str | int, ...]) -> ssl.SSLContext:
    """Make the context for an environment once: reading the authorities takes 28 ms."""
    del environment
    return ssl.create_default_context()


class IdleConnections:
    """Connections to checked addresses that wait for the next request to the same server."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str, int], list[tuple[float, HTTPConnection]]] = {}
        self._lock = threading.Lock()

    def take(self, origin: tuple[str, str, int]) -> HTTPConnection | None:
        """Return an idle connection to a (scheme, host, port), or None."""
        with self._lock:
            kept = self._kept.get(origin, [])
            while kept:
                at, connection = kept.pop()
                if time.monotonic() - at < IDLE_SECONDS:
                    return connection
                connection.close()
        return None

    def keep(self, origin: tuple[str, str, int], connection: HTTPConnection) -> None:
        """Keep a connection whose response was read to its end."""
        with self._lock:
            kept = self._kept.setdefault(origin, [])
            if len(kept) < MAX_IDLE:
                kept.append((time.monotonic(), connection))
                return
        connection.close()

    def close(self) -> None:
        """Close all of them."""
        with self._lock:
            for kept in self._kept.values():
                for _, connection in kept:
                    connection.close()
            self._kept.clear()


@dataclass(frozen=True)
class Proxy:
    """An HTTP proxy, with the header of its login."""

    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """Connect for http: the request target is the whole URL."""
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def connect_tls(
        self, host: str, port: int, timeout: float, context: ssl.SSLContext
    ) -> http.client.HTTPConnection:
        """Connect for https through a tunnel, with TLS verified for the host."""
        made = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)
        made.set_tunnel(host, port, self.headers)
        return made


def find_proxy(scheme: str, host: str) -> Proxy | None:
    """Return the proxy for a host; None to connect directly, as always to loopback."""
    address = getproxies().get(scheme)
    if not address or _is_loopback(host) or proxy_bypass(host):
        return None
    parts = urlsplit(address if "://" in address else f"http://{address}")
    if parts.scheme != "http" or not parts.hostname:
        raise Unreachable(
            f"the proxy for {scheme} cannot be used: only http://HOST:PORT",
            f"set {scheme.upper()}_PROXY so, or name the upstream in NO_PROXY",
        )
    headers = {}
    if parts.username is not None:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        packed = base64.b64encode(login.encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {packed}"
    return Proxy(parts.hostname, parts.port or 8080, headers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class TimedSocket:
    """A connected socket whose reads and writes end at a deadline, however slowly data come.

    The timeout of a socket is for each read alone: a server that sends a byte now and then would
    never exceed it, nor would one whose head, trailers or 1xx responses have no end. Has what
    http.client uses of a socket.
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self.deadline = float("inf")  # by time.monotonic

    def _limit(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("the server sends too slowly")
        self._sock.settimeout(min(self._timeout, left))

    def sendall(self, data: bytes) -> None:
        """Send all the data."""
        self._limit()
        self._sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        """Return a file that reads until the deadline."""
        del mode  # http.client only reads
        return io.BufferedReader(_TimedFile(self._sock.makefile("rb", buffering=0), self._limit))

    def close(self) -> None:
        """Close the socket, once its files are closed."""
        self._sock.close()


class _TimedFile(io.RawIOBase):
    def __init__(self, raw: io.RawIOBase, limit: Callable[[], None]) -> None:
        super().__init__()
        self._raw, self._limit = raw, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._limit()
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class PlainConnection(http.client.HTTPConnection):
    """A connection to a checked address, for a host name."""

    def __init__(self, host: str, port: int, address: str, patience: float) -> None:
        super().__init__(host, port, timeout=patience)
        self._address = address

    def connect(self) -> None:
        """Connect to the checked address."""
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class SecureConnection(PlainConnection):
    """The same over TLS, verified for the host name."""

    default_port = 443

    def __init__(
        self, host: str, port: int, address: str, patience: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, address, patience)
        self._context = context

    def connect(self) -> None:
        """Connect to the checked address."""
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)


def set_deadline(connection: HTTPConnection, deadline: float) -> None:
    """Let the reads and writes of a connection end at a deadline (time.monotonic)."""
    sock: Any = connection.sock
    if not isinstance(sock, TimedSocket):
        patience = connection.timeout if connection.timeout is not None else float("inf")
        sock = TimedSocket(sock, patience)
        connection.sock = sock
    sock.deadline = deadline
