"""Connections: to a checked address, or through the proxy of the environment.

HTTP_PROXY, HTTPS_PROXY and NO_PROXY name the proxy. A proxy resolves names itself, so the checks
are weaker than without one: names that resolve to non-public addresses here are refused, the proxy
decides about the others.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from twofold.errors import Unreachable


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
