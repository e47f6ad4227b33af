"""The proxy between us and an upstream, as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say.

A proxy resolves names itself, so what is checked here is weaker than without one: addresses and
names that lead to something not public here are refused, and the rest is the proxy's to judge.
"""

from __future__ import annotations

import base64
import http.client
import ipaddress
import ssl
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from twofold.errors import Unreachable


@dataclass(frozen=True)
class Proxy:
    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict, repr=False)

    def connect(self, timeout: float) -> http.client.HTTPConnection:
        """For http: the whole address is the request's target."""
        return http.client.HTTPConnection(self.host, self.port, timeout=timeout)

    def connect_tls(
        self, host: str, port: int, timeout: float, context: ssl.SSLContext
    ) -> http.client.HTTPConnection:
        """For https: a tunnel, in which the certificate must be the host's."""
        made = http.client.HTTPSConnection(self.host, self.port, timeout=timeout, context=context)
        made.set_tunnel(host, port, self.headers)
        return made


def find_proxy(scheme: str, host: str) -> Proxy | None:
    """The proxy to a host; None for a direct connection, which loopback always has."""
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
        told = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        packed = base64.b64encode(told.encode()).decode()
        headers["Proxy-Authorization"] = f"Basic {packed}"
    return Proxy(parts.hostname, parts.port or 8080, headers)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
