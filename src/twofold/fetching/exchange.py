"""One exchange with a server: the request is sent to a checked address, redirects are followed.

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit, urlunsplit

from twofold import __version__
from twofold.errors import Unreachable
from twofold.fetching import require_online
from twofold.fetching.connections import (
    IdleConnections,
    PlainConnection,
    Proxy,
    SecureConnection,
    find_context,
    find_proxy,
    set_deadline,
)
from twofold.fetching.credentials import Credential, strip_credentials
from twofold.fetching.origins import (
    check_allowed_behind_proxy,
    choose_address,
    make_forbidden,
    parse_origin,
    resolve_host,
)
from twofold.fetching.server_limits import ServerLimits

#: Seconds without any data after which a connection is dropped.
TIMEOUT = 20

#: Seconds for a whole page: a server that sends too slowly is dropped.
MAX_PAGE_SECONDS = 120

#: Seconds without a request to a server that did not answer one: each would hold a thread for the
#: whole timeout, while readers wait for pages that are cached.
PAUSE_AFTER_TIMEOUT = 10.0

MAX_REDIRECTS = 5

_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Endpoint:
    """A server to fetch from: its URL, whether its address may be internal, and its login.

    `files_at` are hosts (or host:port) beside it that may be internal too; they get no login.
    `any_address` is for URLs that the user of a command named: no server chose them. `context` is
    the TLS context, by default one with the machine's authorities. `idle` keeps connections for
    the next request, `limits` how much is asked of the server.
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
    limits: ServerLimits | None = field(default=None, compare=False, repr=False)

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
class Request:
    """A request for a URL; all of the response has to be read within `seconds`.

    One with a `body` is for an endpoint without redirects: the body is for this URL alone.
    """

    url: str
    headers: Mapping[str, str]
    method: str = "GET"
    seconds: float = MAX_PAGE_SECONDS
    body: bytes | None = field(default=None, repr=False)


@contextmanager
def open_response(
    source: Endpoint, request: Request
) -> Iterator[tuple[http.client.HTTPResponse, str]]:
    """Send a request, follow redirects; yield the response and its final URL.

    Raises Unreachable and Refused; what is raised while the response is read is passed on.
    """
    require_online(request.url)
    is_page = request.seconds <= MAX_PAGE_SECONDS
    with source.limits.request(request.url, is_page) if source.limits else nullcontext():
        deadline = time.monotonic() + request.seconds
        for _ in range(source.redirects + 1):
            connection: http.client.HTTPConnection | None
            connection, answer = _try_request(source, request, deadline)
            url = request.url
            try:
                location = answer.headers.get("location")
                if answer.status in _REDIRECTS and location:
                    request = replace(request, url=_redact(source, _join(url, location)))
                    continue
                yield answer, url
                is_read = answer.isclosed() or answer.length == 0
                if source.idle is not None and is_read and not answer.will_close:
                    answer.close()
                    source.idle.keep(parse_origin(url), connection)
                    connection = None
                return
            finally:
                if connection is not None:
                    answer.close()
                    connection.close()
    raise Unreachable(f"{source.url} redirects more than {source.redirects} times")


def _join(url: str, location: str) -> str:
    """Return the URL of a redirect. Raises Refused."""
    try:
        return urljoin(url, location)
    except ValueError:
        raise make_forbidden(location, "its host is malformed") from None


def _redact(source: Endpoint, url: str) -> str:
    """Remove our token from the URL of a redirect: messages must not show it."""
    parts = urlsplit(url)
    if source.secret is None or f"{parts.scheme}://{parts.netloc}" not in source.url:
        return url
    return urlunsplit(parts._replace(path=strip_credentials(parts.path)))


def _try_request(
    source: Endpoint, request: Request, deadline: float
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Send a request; return the connection and the response. Raises Unreachable, Refused."""
    try:
        return _send_request(source, request, deadline)
    except (OSError, http.client.HTTPException) as error:
        is_own = parse_origin(request.url) == source.origin
        if isinstance(error, TimeoutError) and source.limits is not None and is_own:
            source.limits.pause(PAUSE_AFTER_TIMEOUT)
        raise make_unreachable(request.url, error) from error


def _send_request(
    source: Endpoint, request: Request, deadline: float
) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
    """Send a request to a checked address; return the connection and the response.

    Raises Refused.
    """
    url, method = request.url, request.method
    scheme, host, port = parse_origin(url)
    if scheme == "http" and source.origin[0] == "https":
        raise make_forbidden(url, "it is not encrypted, unlike the original URL")
    own = (scheme, host, port) == source.origin
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {"User-Agent": f"twofold/{__version__}", "Accept-Encoding": "identity"}
    sent.update(request.headers)
    if own and source.secret is not None:
        sent.update(source.secret.headers())
        target = source.secret.add_to_path(target)
    kept = source.idle.take((scheme, host, port)) if source.idle is not None else None
    if kept is not None:
        with suppress(OSError, http.client.HTTPException):  # closed by the server meanwhile
            set_deadline(kept, deadline)
            kept.request(method, target, request.body, headers=sent)
            return kept, kept.getresponse()
        kept.close()
    proxy = find_proxy(scheme, host)
    if proxy is not None and scheme == "http":
        target = f"http://{parts.netloc}{target}"
        sent.update(proxy.headers)
    connection = _connect(source, url, proxy)
    try:
        connection.connect()
        set_deadline(connection, deadline)
        connection.request(method, target, request.body, headers=sent)
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


def make_unreachable(url: str, error: Exception) -> Unreachable:
    """Return the error for a server whose response broke off or never came."""
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    return Unreachable(f"no response from {url}: {reason}", "try again later")
