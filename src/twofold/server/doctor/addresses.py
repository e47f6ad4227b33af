"""How clients come here: the address to listen on, proxies, the public URL, the issuer."""

from __future__ import annotations

import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from ipaddress import IPv4Address, IPv6Address, ip_address
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

from twofold.errors import Refused
from twofold.server.auth.oidc import fetch_json
from twofold.server.connections.limits import parse_proxies
from twofold.server.doctor.certificates import check_public_certificate
from twofold.server.doctor.findings import ERROR, OK, WARNING, Finding, compare_clocks
from twofold.server.model import now
from twofold.server.run import bind
from twofold.server.settings import Settings
from twofold.server.web.origin import parse_public_url

#: Seconds for an answer through the proxy.
TIMEOUT = 10

#: An address of documentation (RFC 5737): no client has it.
_NOBODY = "192.0.2.99"

#: The size of an upload that a proxy must let through (bytes); nothing of it is sent.
_LARGE_BODY = 1 << 30


def check_listening(settings: Settings) -> Iterator[Finding]:
    """Check that the address is one of this machine."""
    bind(settings.host, 0).close()
    return iter(())


def check_proxies(settings: Settings) -> Iterator[Finding]:
    """Check which proxies are trusted."""
    networks = parse_proxies(settings.trusted_proxies)
    if any(network.prefixlen == 0 for network in networks):
        text = "every client is believed what it says of its own address (X-Forwarded-For)"
        yield Finding("proxy", ERROR, text, "name the proxy's address alone with --trusted-proxy")
        return
    yield Finding("proxy", OK, f"believed: {', '.join(settings.trusted_proxies) or 'none'}")


def check_public_url(settings: Settings) -> Iterator[Finding]:
    """Ask the registry through its own public URL, as a client would."""
    if parse_public_url(settings.public_url) is None:
        return
    base = settings.public_url.rstrip("/")
    try:
        certificate = check_public_certificate(base)
        if certificate is not None and certificate.state != OK:
            yield certificate
        yield from _visit(base)
    except (OSError, http.client.HTTPException) as error:
        yield Finding(
            "public", ERROR, f"{base} cannot be reached: {_describe(error)}", _hint(error)
        )
        return
    yield from _check_addresses(base, settings)
    yield from _check_large_body(base)


def _visit(base: str) -> Iterator[Finding]:
    here = now()
    path = quote("/main/legacy/")
    request = Request(f"{base}/.well-known/pytp?discover={path}", headers={"Origin": "null"})
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            body, date = answer.read(100_000).decode("utf-8", "replace"), answer.headers.get("Date")
    except HTTPError as error:
        with error:
            body, date = "", error.headers.get("Date")
    if f'"{base}/main/_/oidc/' in body:
        yield Finding("public", OK, f"{base} leads here")
    else:
        text = f"{base} is answered by something that does not know this public URL"
        hint = "start the server with the same --public-url, and let the proxy pass every path on"
        yield Finding("public", ERROR, text, hint)
    if date:
        there = parsedate_to_datetime(date).astimezone(UTC)
        yield compare_clocks(urlsplit(base).netloc, there, here)


def _describe(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return f"its certificate is refused: {reason.verify_message}"
    return getattr(reason, "strerror", None) or str(reason)


def _hint(error: Exception) -> str:
    reason = getattr(error, "reason", error)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "renew it, or set SSL_CERT_FILE to the authority's certificate"
    if isinstance(reason, socket.gaierror):
        return "correct the host's name in DNS, or --public-url"
    return "start the proxy, and let its port through the firewall"


def _check_addresses(base: str, settings: Settings) -> Iterator[Finding]:
    """Whose address does the server see, when a client claims to have another?"""
    request = Request(f"{base}/readyz", headers={"X-Forwarded-For": _NOBODY})
    try:
        with urlopen(request, timeout=TIMEOUT) as answer:
            seen = json.loads(answer.read(100_000)).get("client")
        address = ip_address(str(seen))
    except (OSError, ValueError, AttributeError, http.client.HTTPException):
        return  # `_visit` has reported what is wrong with the answers
    if str(address) == _NOBODY:
        text = "a client chooses its own address: the proxy passes its X-Forwarded-For on"
        yield Finding(
            "proxy", ERROR, text, "set X-Forwarded-For to the client's address alone there"
        )
        return
    is_proxy = any(address in network for network in parse_proxies(settings.trusted_proxies))
    if is_proxy and address != _find_own_address(base):
        text = f"the proxy {address} does not name its clients: all of them are one address"
        yield Finding("proxy", WARNING, text, "set X-Forwarded-For to the client's address there")


def _find_own_address(base: str) -> IPv4Address | IPv6Address:
    """Return the address from which this machine reaches the public host."""
    parts = urlsplit(base)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with socket.create_connection((parts.hostname or "", port), timeout=TIMEOUT) as connection:
        return ip_address(connection.getsockname()[0])


def _check_large_body(base: str) -> Iterator[Finding]:
    """Announce a large upload without a login: the registry refuses it before its body is sent."""
    parts = urlsplit(base)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=TIMEOUT)
    try:
        connection.putrequest("POST", f"{parts.path}/main/legacy/")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(_LARGE_BODY))
        connection.endheaders()
        status = connection.getresponse().status
    except TimeoutError:
        text = f"{base} waits for the whole of an upload before the registry sees it"
        yield Finding("proxy", WARNING, text, "let the proxy pass a request on as it comes")
        return
    except (OSError, http.client.HTTPException):
        return  # closed by a server that wants no body: as good as a refusal
    finally:
        connection.close()
    if status == 413:
        text = f"{base} refuses uploads of 1 GiB (413)"
        yield Finding(
            "proxy", WARNING, text, "raise the proxy's limit (nginx: client_max_body_size)"
        )


def check_issuer(settings: Settings) -> Iterator[Finding]:
    """Check that the issuer at which people sign in can be reached, and is the one named."""
    if settings.issuer is None:
        return
    url = settings.issuer.url
    try:
        found = fetch_json(f"{url}/.well-known/openid-configuration", True)
    except Refused as error:
        reason = str(error.__cause__ or "it has no discovery document (404)")
        yield Finding("issuer", ERROR, f"{url}: {reason}", "correct --oidc-issuer, or start it")
        return
    named = found.get("issuer") if isinstance(found, dict) else None
    if not isinstance(named, str) or named.rstrip("/") != url:
        text = f"the discovery document of {url} names the issuer {str(named)[:200]}"
        yield Finding("issuer", ERROR, text, "give --oidc-issuer as it is named there")
        return
    yield Finding("issuer", OK, f"{url} answers")


def check_limits(settings: Settings) -> Iterator[Finding]:
    """Check how many files and connections may be open."""
    if os.name == "nt":
        return
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    text = f"{'any number of' if unlimited else hard} files may be open"
    if not unlimited and hard < 4 * settings.connections_per_address:
        hint = "raise LimitNOFILE of the unit, or ulimit -n, to 65536"
        yield Finding("limits", WARNING, text, hint)
    else:
        yield Finding("limits", OK, text)
