"""Fetching from an upstream, by http.client: the address that was checked is the one that is used.

An upstream names addresses of files, and redirects; so could anybody who controls it. Allowed are
the upstream's own origin and, elsewhere, public addresses. The name is resolved once, the address
is checked, and the connection is made to that address: a name cannot be something else the second
time. Link-local addresses (the metadata services of clouds) are never connected to. Libraries that
resolve on their own cannot promise this, which is why none is used. Proxies are not used either.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from twofold import __version__
from twofold.errors import Refused, Unreachable

#: Seconds an upstream may be silent.
PATIENCE = 20

MOST_REDIRECTS = 5

#: The largest page of an index (bytes).
LARGEST_PAGE = 64 << 20

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Source:
    """Where we may fetch from: an upstream's address, and whether it is one that is not public."""

    url: str
    internal: bool = False
    patience: float = PATIENCE
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, compare=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        return origin_of(self.url)


def origin_of(url: str) -> tuple[str, str, int]:
    """(scheme, host, port). Raises Refused when the address cannot be fetched from."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise _forbidden(url, "its port is no number") from None
    if parts.scheme not in ("http", "https"):
        raise _forbidden(url, "only http and https are fetched from")
    if not parts.hostname or parts.username is not None:
        raise _forbidden(url, "it has no host, or a user in it")
    if any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise _forbidden(url, "it holds spaces or control characters")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def is_public(url: str) -> bool:
    """Whether every address of the host is a public one. Raises Unreachable, Refused."""
    _, host, port = origin_of(url)
    return all(ipaddress.ip_address(address).is_global for address in _addresses(host, port))


def fetch_page(source: Source, url: str, accept: str) -> tuple[bytes, str, str] | None:
    """(body, media type, address after redirects); None when there is no such page (404, 410).

    Raises Unreachable for anything else but 200.
    """
    with _opened(source, url, {"Accept": accept}) as (answer, address):
        if answer.status in (404, 410):
            return None
        _demand_ok(answer, address)
        body = answer.read(LARGEST_PAGE + 1)
        if len(body) > LARGEST_PAGE:
            raise Unreachable(f"the page {address} is larger than {LARGEST_PAGE} bytes")
        _demand_whole(answer, address)
        return body, answer.headers.get_content_type(), address


def fetch_file(source: Source, url: str, target: Path, largest: int) -> None:
    """A file's bytes into `target`. Raises Unreachable when it does not come whole."""
    with _opened(source, url, {"Accept": "*/*"}) as (answer, address), target.open("wb") as file:
        _demand_ok(answer, address)
        left = largest
        while block := answer.read(1 << 18):
            left -= len(block)
            if left < 0:
                raise Unreachable(f"the file {address} is larger than {largest} bytes")
            file.write(block)
        _demand_whole(answer, address)


def _demand_whole(answer: http.client.HTTPResponse, url: str) -> None:
    """http.client tells a body that was cut off by nothing but the bytes still missing."""
    if answer.length:
        raise Unreachable(f"the upstream cut off {url}", "try again later")


def _demand_ok(answer: http.client.HTTPResponse, url: str) -> None:
    if answer.status != 200:
        raise Unreachable(f"the upstream answered {answer.status} at {url}", "try again later")


@contextmanager
def _opened(
    source: Source, url: str, headers: Mapping[str, str]
) -> Iterator[tuple[http.client.HTTPResponse, str]]:
    """The answer to a GET, redirects followed, and the address that gave it."""
    for _ in range(MOST_REDIRECTS + 1):
        connection = _connection(source, url)
        try:
            parts = urlsplit(url)
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            agent = {"User-Agent": f"twofold/{__version__}", "Accept-Encoding": "identity"}
            connection.request("GET", target, headers={**agent, **headers})
            answer = connection.getresponse()
            location = answer.headers.get("location")
            if answer.status in _REDIRECTS and location:
                url = urljoin(url, location)
                continue
            yield answer, url
            return
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"the upstream does not answer at {url}: {reason}", "try again later"
            ) from error
        finally:
            connection.close()
    raise Unreachable(f"the upstream redirects more than {MOST_REDIRECTS} times")


def _connection(source: Source, url: str) -> http.client.HTTPConnection:
    scheme, host, port = origin_of(url)
    if scheme == "http" and source.origin[0] == "https":
        raise _forbidden(url, "it is not encrypted, and the upstream is")
    trusted = source.internal and (scheme, host, port) == source.origin
    address = _allowed(url, _addresses(host, port), trusted)
    if scheme == "https":
        return _SecureConnection(host, port, address, source.patience, source.context)
    return _PlainConnection(host, port, address, source.patience)


def _addresses(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host} cannot be found: {error}") from error
    return [str(entry[4][0]) for entry in found]


def _allowed(url: str, addresses: list[str], trusted: bool) -> str:
    """The address to connect to: all that the name has must be allowed."""
    for address in addresses:
        ip = ipaddress.ip_address(address.partition("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        if mapped.is_link_local or mapped.is_multicast or mapped.is_unspecified:
            raise _forbidden(url, f"it leads to {mapped}")
        if not mapped.is_global and not trusted:
            raise _forbidden(url, f"it leads to {mapped}, which is not public")
    return addresses[0]


def _forbidden(url: str, why: str) -> Refused:
    return Refused(
        "forbidden-address",
        f"Nothing is fetched from {url[:200]!a}: {why}",
        "an upstream's files lie at its own address or at public ones",
        502,
    )


class _PlainConnection(http.client.HTTPConnection):
    """A connection to an address that was checked, speaking to a host of a name."""

    def __init__(self, host: str, port: int, address: str, patience: float) -> None:
        super().__init__(host, port, timeout=patience)
        self._address = address

    def connect(self) -> None:
        self.sock = socket.create_connection((self._address, self.port), self.timeout)


class _SecureConnection(_PlainConnection):
    """The same with TLS, whose certificate must be the name's."""

    default_port = 443

    def __init__(
        self, host: str, port: int, address: str, patience: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, address, patience)
        self._context = context

    def connect(self) -> None:
        super().connect()
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self.host)
