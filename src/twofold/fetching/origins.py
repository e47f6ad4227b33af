"""Which URLs may be fetched from: their hosts are resolved, and every address is checked."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from twofold.errors import Refused, Unreachable
from twofold.fetching.addresses import is_public_address, is_public_host, read_address
from twofold.fetching.connections import find_proxy


def parse_origin(url: str) -> tuple[str, str, int]:
    """Return (scheme, host, port). Raises Refused for a URL that cannot be fetched."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no address
        raise make_forbidden(url, "its host is malformed") from None
    try:
        port = parts.port
    except ValueError:
        raise make_forbidden(url, "its port is not a number") from None
    if parts.scheme not in ("http", "https"):
        raise make_forbidden(url, "only http and https are supported")
    if not parts.hostname or parts.username is not None:
        raise make_forbidden(url, "it has no host, or contains a user name")
    if not url.isascii() or not url.isprintable() or " " in url:
        raise make_forbidden(url, "it contains spaces or control characters")
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)


def is_public(url: str) -> bool:
    """Whether all addresses of the host are public. Raises Unreachable, Refused.

    A name that only a proxy can resolve counts as public.
    """
    scheme, host, port = parse_origin(url)
    try:
        found = resolve_host(host, port)
    except Unreachable:
        if find_proxy(scheme, host) is None:
            raise
        return True
    return all(map(is_public_address, found))


def is_public_name(url: str) -> bool:
    """Whether the host is named as public ones are, without resolving the name."""
    return is_public_host(parse_origin(url)[1])


def resolve_host(host: str, port: int) -> list[str]:
    """Return the addresses of a host. Raises Unreachable."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unreachable(f"the host {host} cannot be found: {error}") from error
    return [str(entry[4][0]) for entry in found]


def choose_address(url: str, addresses: list[str], trusted: bool) -> str:
    """Return the address to connect to; all addresses of the name must be allowed."""
    for address in addresses:
        ip = read_address(address)
        if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
            raise make_forbidden(url, f"it leads to {ip}")
        if not is_public_address(address) and not trusted:
            raise make_forbidden(url, f"it leads to {ip}, which is not public")
    return addresses[0]


def check_allowed_behind_proxy(url: str, host: str, port: int, trusted: bool) -> None:
    """Check the addresses that we can resolve ourselves; the proxy resolves the name."""
    try:
        addresses = resolve_host(host, port)
    except Unreachable:
        if not trusted and not is_public_host(host):
            raise make_forbidden(url, "its name is not a public one") from None
        return
    choose_address(url, addresses, trusted)


def make_forbidden(url: str, why: str) -> Refused:
    """Return the error for a URL that is not fetched."""
    login = url.partition("://")[2].partition("/")[0].rpartition("@")[0]
    shown = url.replace(f"{login}@", "***@", 1) if login else url
    return Refused(
        "forbidden-address",
        f"Refused to fetch from {shown[:200]!a}: {why}",
        "files must be at the server's own address, at public ones, or where the operator allowed "
        "them: 'twofold admin upstream add --files-at HOST'",
        502,
    )
