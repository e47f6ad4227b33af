"""Failures of requests in our words: what happened, what was tried, and a hint.

No message repeats a login, a token or a query of a URL.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from twofold.errors import TwofoldError, Unreachable
from twofold.publish.addresses import Secret, redact_secrets, redact_url
from twofold.publish.responses import RetryPolicy, TransientError
from twofold.publish.transport.connections import TruncatedHead
from twofold.publish.transport.proxies import Proxy, find_proxy
from twofold.publish.transport.response_bodies import INVALID_CHUNK
from twofold.publish.transport.time_limit import TooSlow

if TYPE_CHECKING:
    pass

_Error = TypeVar("_Error", bound=BaseException)

TRY_AGAIN = "run the same command again; if it fails again, ask the server's administrator"
PROXY_LOGIN = "write it into the variable: http://USER:PASSWORD@HOST:PORT"
CHECK_URL = "check the URL, and that the server is running and reachable"
NO_HTTP = "check host and port; a server for https needs https:// in the URL"
TRUST = "set `ca` of the target, REQUESTS_CA_BUNDLE or SSL_CERT_FILE to the bundle of its authority"
CLIENT = "set `client-cert` of the target, or SSL_CLIENT_CERT, to your certificate with its key"

#: Reasons of OpenSSL for a server that answers a TLS handshake with something else.
_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "RECORD_LAYER_FAILURE",
    "HTTP_REQUEST",
    "HTTPS_PROXY_REQUEST",
    "PACKET_LENGTH_TOO_LONG",
    "UNEXPECTED_MESSAGE",
    "BAD_RECORD_TYPE",
}
#: Alerts of a server that wants another certificate of the client, or one at all.
_CLIENT_REFUSED = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED",
    "SSLV3_ALERT_BAD_CERTIFICATE",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED",
    "SSLV3_ALERT_CERTIFICATE_REVOKED",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN",
    "TLSV1_ALERT_UNKNOWN_CA",
    "TLSV1_ALERT_ACCESS_DENIED",
    "SSLV3_ALERT_HANDSHAKE_FAILURE",
}


@dataclass(frozen=True)
class Failure:
    """What happened, and a hint.

    `is_final` is True if another attempt cannot help; `no_server` as in TransientError.
    """

    message: str
    hint: str = CHECK_URL
    is_final: bool = False
    no_server: bool = False


@contextmanager
def error_context(url: str, secrets: Sequence[Secret], policy: RetryPolicy) -> Iterator[None]:
    """Translate exceptions of urllib3 into ours, with secrets redacted.

    Raises TransientError if another attempt may help, else Unreachable; TwofoldError for an
    invalid URL.
    """
    from urllib3 import exceptions

    try:
        yield
    except TwofoldError:
        raise
    except exceptions.LocationValueError:
        message, hint = f"{redact_url(url)} is not a valid URL", "write it as https://host/channel"
        raise TwofoldError(message, hint) from None
    except (exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        failure = describe_failure(error, url, policy)
        message = redact_secrets(failure.message, secrets)
        if failure.is_final:
            raise Unreachable(message, failure.hint) from None
        raise TransientError(message, failure.hint, no_server=failure.no_server) from None


def describe_failure(error: BaseException, url: str, policy: RetryPolicy) -> Failure:
    """Describe why a request failed; a proxy is named where one was used."""
    proxy = find_proxy(url)
    causes = list(_list_causes(error))
    if proxy is not None and _is_proxys(causes, proxy):
        return _describe_proxy_failure(causes, proxy, policy)
    found = _describe(causes, url, policy)
    if proxy is None:
        return found
    hint = f"{found.hint}; check {proxy.source} too"
    return replace(found, message=f"{found.message} (through {proxy})", hint=hint)


def _list_causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and those it wraps, the outermost first."""
    queue, seen = [error], set()
    while queue:
        current = queue.pop(0)
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        inner = [*current.args, getattr(current, "reason", None), current.__cause__]
        inner.append(current.__context__)
        queue += [one for one in inner if isinstance(one, BaseException)]


def _find(causes: Sequence[BaseException], kind: type[_Error]) -> _Error | None:
    return next((one for one in causes if isinstance(one, kind)), None)


def _describe(causes: Sequence[BaseException], url: str, policy: RetryPolicy) -> Failure:
    place = redact_url(url)
    describers = (_describe_tls, _describe_connection, _describe_answer)
    found = (describe(causes, place, policy) for describe in describers)
    return next(filter(None, found), None) or Failure(
        f"{place} cannot be reached: {_get_reason(causes)}"
    )


def _get_reason(causes: Sequence[BaseException]) -> str:
    """The innermost reason: the system's own words where it is the system's error."""
    system = [one.strerror for one in causes if isinstance(one, OSError) and one.strerror]
    return str(system[-1] if system else causes[-1] or type(causes[-1]).__name__).strip()


def _get_server(place: str) -> str:
    """Host and port of a URL."""
    parts = urlsplit(place)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    default = 443 if parts.scheme == "https" else 80
    return f"{host}:{default if parts.port is None else parts.port}"


def _describe_connection(
    causes: Sequence[BaseException], place: str, policy: RetryPolicy
) -> Failure | None:
    """No connection: an unknown host, a refused or a lost one, or none in time."""
    from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    server = _get_server(place)
    if _find(causes, socket.gaierror):
        message = f"{place} cannot be reached: the host {server.rpartition(':')[0]} is unknown"
        hint = "check its spelling, and this machine's network and DNS"
        return Failure(message, hint, no_server=True)
    if _find(causes, ConnectionRefusedError):
        message = f"{place} cannot be reached: {server} refused the connection"
        return Failure(message, "check host and port, and that the server is running", False, True)
    new = _find(causes, NewConnectionError)
    if new is None and _find(causes, ConnectTimeoutError):
        message = f"{server} did not accept a connection within {policy.connect:g} s"
        hint = "check host and port, and that no firewall is between; is a proxy needed?"
        return Failure(message, hint)
    if new is not None:
        return Failure(f"{place} cannot be reached: {_get_reason(causes)}")
    return None


def _describe_answer(
    causes: Sequence[BaseException], place: str, policy: RetryPolicy
) -> Failure | None:
    """An answer that is late, cut off, malformed or no HTTP."""
    from urllib3 import exceptions

    slow = _find(causes, TooSlow)
    if slow is not None:
        message = f"the connection to {place} is too slow: {slow}"
        return Failure(message, "try again later, or over another network")
    if _find(causes, TimeoutError) or _find(causes, exceptions.TimeoutError):
        return Failure(f"{place} did not answer within {policy.read:g} s", TRY_AGAIN)
    if _find(causes, TruncatedHead):
        return Failure(f"{place} closed the connection in the head of its answer", TRY_AGAIN)
    if _find(causes, http.client.RemoteDisconnected):
        return Failure(f"{place} closed the connection without an answer", TRY_AGAIN)
    no_http = _find(causes, http.client.BadStatusLine)
    if no_http is not None:
        return _describe_status_line(str(no_http.args[0]), place)
    cut = _find(causes, http.client.IncompleteRead)
    if cut is not None and not isinstance(cut, exceptions.InvalidChunkLength):
        return Failure(f"the answer of {place} was cut off: {_count_bytes(cut)}", TRY_AGAIN)
    if _find(causes, exceptions.DecodeError):
        message = f"the answer of {place} is damaged: its Content-Encoding does not match"
        return Failure(message, "report it to the server's administrator")
    lost = _find(causes, ConnectionError)
    if lost is not None:
        return Failure(f"the connection to {place} was lost: {_get_reason([lost])}", TRY_AGAIN)
    if any(_find(causes, kind) for kind in (http.client.HTTPException, exceptions.HTTPError)):
        reason = " ".join(str(_get_innermost(causes)).split())
        if _find(causes, exceptions.InvalidChunkLength):
            reason = INVALID_CHUNK
        message = f"the answer of {place} is malformed: {reason or 'its framing is invalid'}"
        return Failure(message, "report it to the server's administrator")
    return None


def _describe_status_line(line: str, place: str) -> Failure:
    """An answer whose first line is no status line of HTTP."""
    sent = line[:60].encode("latin-1", "replace").decode("ascii", "replace").rstrip("\r\n")
    if line.startswith("HTTP/"):
        message = f"the answer of {place} is malformed: it begins with {sent!r}"
        return Failure(message, "report it to the server's administrator")
    message = f"what answers at {_get_server(place)} is no HTTP server: it sent {sent!r}"
    return Failure(message, NO_HTTP, no_server=True)


def _count_bytes(cut: http.client.IncompleteRead) -> str:
    partial: Any = cut.partial  # bytes, of urllib3 their number
    came = partial if isinstance(partial, int) else len(partial)
    return f"{came} of {came + cut.expected} bytes came" if cut.expected else f"{came} bytes came"


def _get_innermost(causes: Sequence[BaseException]) -> BaseException:
    """The first cause that is no wrapper."""
    return next(
        (one for one in causes if not any(isinstance(a, BaseException) for a in one.args)),
        causes[-1],
    )


def _describe_tls(
    causes: Sequence[BaseException], place: str, _policy: RetryPolicy
) -> Failure | None:
    """A certificate that is not trusted, or no TLS at all."""
    error = _find(causes, ssl.SSLError)
    if error is None or isinstance(error, TimeoutError):
        return None
    if isinstance(error, ssl.SSLCertVerificationError):
        return _describe_certificate(error, place)
    server, reason = _get_server(place), error.reason or ""
    if reason in _NOT_TLS:
        message = f"{server} does not speak TLS, which https:// requires"
        return Failure(message, "write http://, or correct the port", is_final=True)
    if reason in _CLIENT_REFUSED:
        words = reason.partition("ALERT_")[2].replace("_", " ").lower()
        message = f"{server} refused the TLS connection ({words}): it may require a client "
        return Failure(f"{message}certificate", CLIENT, is_final=True)
    if "PROTOCOL" in reason or "VERSION" in reason:
        message = f"{server} and this Python have no version of TLS in common"
        return Failure(message, "ask the server's administrator for TLS 1.2 or newer", True)
    if isinstance(error, (ssl.SSLEOFError, ssl.SSLZeroReturnError)) or "EOF" in reason:
        message = f"{server} closed the connection during the TLS handshake"
        return Failure(message, "check host and port, and whether it requires a client certificate")
    words = reason.replace("_", " ").lower() or str(error)
    return Failure(f"TLS with {server} failed: {words}")


def _describe_certificate(error: ssl.SSLCertVerificationError, place: str) -> Failure:
    reason = error.verify_message.rstrip(".")
    hint = TRUST
    if "mismatch" in reason:
        hint = "use a host name that the certificate is for"
    elif "expired" in reason or "not yet valid" in reason:
        hint = "report it to the server's administrator, and check this machine's clock"
    message = f"the certificate of {place} is not trusted: {reason}"
    return Failure(message, hint, is_final=True)


def _is_proxys(causes: Sequence[BaseException], proxy: Proxy) -> bool:
    """Whether the proxy failed, and not the server behind it."""
    from urllib3.exceptions import NewConnectionError, ProxyError

    return _find(causes, ProxyError) is not None or (
        proxy.is_socks and _find(causes, NewConnectionError) is not None
    )


def _describe_proxy_failure(
    causes: Sequence[BaseException], proxy: Proxy, policy: RetryPolicy
) -> Failure:
    hint = f"correct {proxy.source}, or name the host in NO_PROXY"
    tunnel = next((str(one) for one in causes if "Tunnel connection failed" in str(one)), "")
    if tunnel:
        answer = tunnel.partition("Tunnel connection failed: ")[2].rstrip("')")
        if answer.startswith("407"):
            return Failure(f"{proxy} requires a login ({answer})", PROXY_LOGIN, is_final=True)
        return Failure(f"{proxy} refused the connection to the server ({answer})", hint)
    shown = _describe(causes, proxy.url, policy)
    message = shown.message.replace(proxy.url, str(proxy), 1)
    if str(proxy) not in message:
        message = f"{proxy} failed: {message}"
    return Failure(message, hint, shown.is_final, no_server=True)
