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
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urljoin, urlsplit, urlunsplit

from twofold import __version__
from twofold.errors import Refused, Unreachable
from twofold.fetching import require_online
from twofold.fetching.connections import (
    IdleConnections,
    PlainConnection,
    Proxy,
    SecureConnection,
    find_context,
    find_proxy,
)
from twofold.fetching.credentials import Credential, strip_credentials
from twofold.fetching.origins import (
    check_allowed_behind_proxy,
    choose_address,
    make_forbidden,
    resolve_host,
)
from twofold.fetching.origins import is_public as is_public
from twofold.fetching.origins import is_public_name as is_public_name
from twofold.fetching.origins import parse_origin as parse_origin

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
    `any_address` is for URLs that the user of a command named: no server chose them. `context` is
    the TLS context, by default one with the machine's authorities. `idle` keeps connections for
    the next request.
    """

    url: str
    internal: bool = False
    secret: Credential | None = None
    timeout: float = TIMEOUT
    redirects: int = MAX_REDIRECTS
    files_at: tuple[str, ...] = ()
    any_address: bool = False
    context: ssl.SSLContext | None = field(default=None, compare=False)
    idle: IdleConnections | None = field(default=None, compare=False, repr=False)

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


def fetch_range(source: Endpoint, url: str, first: int, size: int) -> tuple[bytes, int] | None:
    """Fetch a part of a file; return it and the size of the whole. None if it is not served so.

    A negative `first` counts from the end. Raises Unreachable.
    """
    wanted = f"bytes={first}" if first < 0 else f"bytes={first}-{first + size - 1}"
    with _open(source, url, {"Accept": "*/*", "Range": wanted}) as (answer, address):
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        if answer.status != 206 or not total.isdigit():
            return None
        blocks: list[bytes] = []
        _read_body(answer, address, size, MAX_PAGE_SECONDS, blocks.append)
        return b"".join(blocks), int(total)


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
            connection, answer = _send_request(source, url, headers, method)
            location = answer.headers.get("location")
            if answer.status in _REDIRECTS and location:
                url = _redact(source, urljoin(url, location))
                continue
            yield answer, url
            is_read = answer.isclosed() or answer.length == 0
            if source.idle is not None and is_read and not answer.will_close:
                answer.close()
                source.idle.keep(parse_origin(url), connection)
                connection = None
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
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Send a request to a checked address; return the connection and the response.

    Raises Refused.
    """
    scheme, host, port = parse_origin(url)
    if scheme == "http" and source.origin[0] == "https":
        raise make_forbidden(url, "it is not encrypted, unlike the original URL")
    own = (scheme, host, port) == source.origin
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": f"twofold/{__version__}", "Accept-Encoding": "identity", **headers}
    if own and source.secret is not None:
        sent.update(source.secret.headers())
        target = source.secret.add_to_path(target)
    kept = source.idle.take((scheme, host, port)) if source.idle is not None else None
    if kept is not None:
        with suppress(OSError, http.client.HTTPException):  # closed by the server meanwhile
            kept.request(method, target, headers=sent)
            return kept, kept.getresponse()
        kept.close()
    proxy = find_proxy(scheme, host)
    if proxy is not None and scheme == "http":
        target = f"http://{parts.netloc}{target}"
        sent.update(proxy.headers)
    connection = _connect(source, url, proxy)
    try:
        connection.request(method, target, headers=sent)
        return connection, connection.getresponse()
    except BaseException:
        connection.close()
        raise


def _connect(source: Endpoint, url: str, proxy: Proxy | None) -> http.client.HTTPConnection:
    """Return a connection to a checked address, or through the proxy. Raises Refused."""
    scheme, host, port = parse_origin(url)
    trusted = source.may_be_internal(scheme, host, port)
    context = (source.context or find_context()) if scheme == "https" else None
    if proxy is None:
        address = choose_address(url, resolve_host(host, port), trusted)
        if context is not None:
            return SecureConnection(host, port, address, source.timeout, context)
        return PlainConnection(host, port, address, source.timeout)
    check_allowed_behind_proxy(url, host, port, trusted)
    if context is not None:
        return proxy.connect_tls(host, port, source.timeout, context)
    return proxy.connect(source.timeout)
