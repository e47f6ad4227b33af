"""HTTP client for fetching, on http.client: connects only to addresses that were checked.

A server names URLs of files and redirects, and so could anybody who controls it. Allowed are the
server's own origin and, elsewhere, public addresses. A host name is resolved once, the address is
checked, and the connection is made to that address, so that a second lookup cannot return another
one. Link-local addresses (the metadata services of clouds) are never connected to. Libraries that
resolve names themselves cannot guarantee this, so none is used. `connections` describes the checks
behind a proxy.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urljoin, urlsplit, urlunsplit

from twofold import __version__
from twofold.errors import Refused, Unreachable
from twofold.fetching import require_online
from twofold.fetching.addresses import is_public_address, is_public_host, read_address
from twofold.fetching.connections import PlainConnection, SecureConnection, find_proxy
from twofold.fetching.credentials import Credential, strip_credentials

#: Seconds without any data after which a connection is dropped.
TIMEOUT = 20

#: Seconds for a whole page and a whole file: a server that sends too slowly is dropped.
MAX_PAGE_SECONDS, MAX_FILE_SECONDS = 120, 3600

MAX_REDIRECTS = 5

#: The max_size page of an index (bytes).
MAX_PAGE_SIZE = 64 << 20

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Endpoint:
    """A server to fetch from: its URL, whether its address may be internal, and its login.

    `files_at` are hosts (or host:port) beside it that may be internal too; they get no login.
    `any_address` is for URLs that the user of a command named: no server chose them.
    """

    url: str
    internal: bool = False
    secret: Credential | None = None
    timeout: float = TIMEOUT
    redirects: int = MAX_REDIRECTS
    files_at: tuple[str, ...] = ()
    any_address: bool = False
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context, compare=False)

    @property
    def origin(self) -> tuple[str, str, int]:
        """The (scheme, host, port) of the URL."""
        return parse_origin(self.url)

    def may_be_internal(self, scheme: str, host: str, port: int) -> bool:
        """Whether the operator allowed this origin although its address is not public."""
        if self.any_address or (self.internal and (scheme, host, port) == self.origin):
            return True
        return host in self.files_at or f"{host}:{port}" in self.files_at


@dataclass(frozen=True)
class HttpResponse:
    """A fetched page, with the validator to revalidate it; `unchanged` after a 304."""

    body: bytes = field(repr=False)
    media: str
    address: str
    validator: str = ""
    unchanged: bool = False


def parse_origin(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port). Raises Refused for a URL that cannot be fetched."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        raise _forbidden(url, "its port is not a number") from None
    if parts.scheme not in ("http", "https"):
        raise _forbidden(url, "only http and https are supported")
    if not parts.hostname or parts.username is not None:
        raise _forbidden(url, "it has no host, or contains a user name")
    if any(ord(c) <= 32 or ord(c) > 126 for c in url):
        raise _forbidden(url, "it contains spaces or control characters")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def is_public(url: str) -> bool:
    """Whether all addresses of the host are public. Raises Unreachable, Refused.

    A name that only a proxy can resolve counts as public.
    """
    scheme, host, port = parse_origin(url)
    try:
        found = _resolve_host(host, port)
    except Unreachable:
        if find_proxy(scheme, host) is None:
            raise
        return True
    return all(map(is_public_address, found))


def is_public_name(url: str) -> bool:
    """Whether the host is named as public ones are, without resolving the name."""
    return is_public_host(parse_origin(url)[1])


def fetch_page(
    source: Endpoint, url: str, accept: str, validator: str = "", max_size: int = MAX_PAGE_SIZE
) -> HttpResponse | None:
    """Fetch a page; None if it does not exist (404, 410). Raises Unreachable on errors.

    `validator` is that of the cached page; `unchanged` says that it is still current.
    """
    headers = {"Accept": accept, **_conditional_headers(validator)}
    with _open(source, url, headers) as (answer, address):
        if answer.status in (404, 410):
            return None
        if answer.status == 304 and validator:
            return HttpResponse(b"", "", address, validator, unchanged=True)
        _check_status(source, answer, address)
        blocks: list[bytes] = []
        _read_body(answer, address, max_size, MAX_PAGE_SECONDS, blocks.append)
        media = answer.headers.get_content_type()
        return HttpResponse(b"".join(blocks), media, address, _make_validator(answer))


def _conditional_headers(validator: str) -> dict[str, str]:
    kind, _, value = validator.partition(":")
    names = {"etag": "If-None-Match", "date": "If-Modified-Since"}
    return {names[kind]: value} if kind in names else {}


def _make_validator(answer: http.client.HTTPResponse) -> str:
    etag, date = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    if etag and etag.isprintable() and len(etag) < 300:
        return f"etag:{etag}"
    return f"date:{date}" if _is_settled(date, answer.headers.get("date", "")) else ""


def _is_settled(modified: str, sent: str) -> bool:
    """Whether a page was old enough for its date to validate it: it may change twice a second.

    RFC 9110, 8.8.2.2, requires a minute.
    """
    try:
        age = parsedate_to_datetime(sent) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return False
    return modified.isascii() and modified.isprintable() and age >= timedelta(minutes=1)


class Sink(Protocol):
    """Takes a file as it arrives."""

    def begin(self, total: int | None) -> None:
        """The file begins; `total` is its size as announced (bytes)."""

    def write(self, block: bytes) -> None:
        """The next bytes of the file."""


def fetch_file(source: Endpoint, url: str, sink: Sink, max_size: int) -> None:
    """Download a file into `sink`. Raises Unreachable when it is incomplete."""
    with _open(source, url, {"Accept": "*/*"}) as (answer, address):
        _check_status(source, answer, address)
        sink.begin(answer.length)
        _read_body(answer, address, max_size, MAX_FILE_SECONDS, sink.write)


def _read_body(
    answer: http.client.HTTPResponse,
    address: str,
    max_size: int,
    longest: float,
    take: Callable[[bytes], object],
) -> None:
    """Read the body in blocks. Raises Unreachable: too large, too slow, cut off."""
    end = time.monotonic() + longest
    left = max_size
    while block := answer.read1(1 << 18):
        left -= len(block)
        if left < 0:
            raise Unreachable(f"{address} is larger than {max_size} bytes")
        if time.monotonic() > end:
            raise Unreachable(f"{address} takes longer than {longest:.0f} s")
        take(block)
    if answer.length:  # http.client reports a truncated body by nothing else
        raise Unreachable(f"the response from {address} was cut off", "try again later")


def is_reachable(source: Endpoint, url: str) -> bool:
    """Whether a HEAD request gets a response; any status below 500 counts."""
    try:
        with _open(source, url, {}, "HEAD") as (answer, _):
            return answer.status < 500
    except (Unreachable, Refused):
        return False


def _check_status(source: Endpoint, answer: http.client.HTTPResponse, url: str) -> None:
    if answer.status in (401, 403, 407):
        hint = "give its user and password, or its token, to 'twofold admin upstream add'"
        if source.any_address:
            hint = "check the URL and the token"
        raise Unreachable(f"{url} answered {answer.status}", hint)
    if answer.status != 200:
        raise Unreachable(f"{url} answered {answer.status}", "try again later")


@contextmanager
def _open(
    source: Endpoint, url: str, headers: Mapping[str, str], method: str = "GET"
) -> Iterator[tuple[http.client.HTTPResponse, str]]:
    """Send a request, follow redirects; yield the response and its final URL."""
    require_online(url)
    for _ in range(source.redirects + 1):
        connection = None
        try:
            connection = _send_request(source, url, headers, method)
            answer = connection.getresponse()
            location = answer.headers.get("location")
            if answer.status in _REDIRECTS and location:
                url = _redact(source, urljoin(url, location))
                continue
            yield answer, url
            return
        except (OSError, http.client.HTTPException) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(f"no response from {url}: {reason}", "try again later") from error
        finally:
            if connection is not None:
                connection.close()
    raise Unreachable(f"{source.url} redirects more than {source.redirects} times")


def _redact(source: Endpoint, url: str) -> str:
    """Remove our token from the URL of a redirect: messages must not show it."""
    parts = urlsplit(url)
    if source.secret is None or f"{parts.scheme}://{parts.netloc}" not in source.url:
        return url
    return urlunsplit(parts._replace(path=strip_credentials(parts.path)))


def _send_request(
    source: Endpoint, url: str, headers: Mapping[str, str], method: str
) -> http.client.HTTPConnection:
    """Send a request to a checked address; return the connection. Raises Refused."""
    scheme, host, port = parse_origin(url)
    if scheme == "http" and source.origin[0] == "https":
        raise _forbidden(url, "it is not encrypted, unlike the original URL")
    own = (scheme, host, port) == source.origin
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": f"twofold/{__version__}", "Accept-Encoding": "identity", **headers}
    if own and source.secret is not None:
        sent.update(source.secret.headers())
        target = source.secret.add_to_path(target)
    trusted = source.may_be_internal(scheme, host, port)
    proxy = find_proxy(scheme, host)
    connection: http.client.HTTPConnection
    if proxy is None:
        address = _choose_address(url, _resolve_host(host, port), trusted)
        if scheme == "https":
            connection = SecureConnection(host, port, address, source.timeout, source.context)
        else:
            connection = PlainConnection(host, port, address, source.timeout)
    else:
        _check_allowed_behind_proxy(url, host, port, trusted)
        if scheme == "https":
            connection = proxy.connect_tls(host, port, source.timeout, source.context)
        else:
            connection = proxy.connect(source.timeout)
            target = f"http://{parts.netloc}{target}"
            sent.update(proxy.headers)
    try:
        connection.request(method, target, headers=sent)
    except BaseException:
        connection.close()
        raise
    return connection


def _resolve_host(host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host} cannot be found: {error}") from error
    return [str(entry[4][0]) for entry in found]


def _choose_address(url: str, addresses: list[str], trusted: bool) -> str:
    """Return the address to connect to; all addresses of the name must be allowed."""
    for address in addresses:
        ip = read_address(address)
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            raise _forbidden(url, f"it leads to {ip}")
        if not is_public_address(address) and not trusted:
            raise _forbidden(url, f"it leads to {ip}, which is not public")
    return addresses[0]


def _check_allowed_behind_proxy(url: str, host: str, port: int, trusted: bool) -> None:
    """Check the addresses that we can resolve ourselves; the proxy resolves the name."""
    try:
        addresses = _resolve_host(host, port)
    except Unreachable:
        if not trusted and not is_public_host(host):
            raise _forbidden(url, "its name is not a public one") from None
        return
    _choose_address(url, addresses, trusted)


def _forbidden(url: str, why: str) -> Refused:
    parts = urlsplit(url)
    shown = url.replace(f"{parts.netloc.rpartition('@')[0]}@", "***@") if "@" in url else url
    return Refused(
        "forbidden-address",
        f"Refused to fetch from {shown[:200]!a}: {why}",
        "files must be at the server's own address, at public ones, or where the operator allowed "
        "them: 'twofold admin upstream add --files-at HOST'",
        502,
    )
