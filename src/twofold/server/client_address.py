"""Addresses of clients, as limits and logs use them."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address

#: Bits of an IPv6 address that one client cannot choose: networks get no less (RFC 6177).
_NETWORK_BITS = 64


def plain_address(text: str) -> str:
    """Return an IPv4 address that a socket for both versions gave (`::ffff:192.0.2.1`) as such."""
    try:
        address = ip_address(text)
    except ValueError:
        return text
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped) if mapped else text


def one_client(text: str) -> str:
    """Return what limits for one client count: an IPv4 address, or the network of an IPv6 one.

    A client with IPv6 has a network of 2**64 addresses to send from.
    """
    try:
        address = ip_address(plain_address(text))
    except ValueError:
        return text
    if not isinstance(address, IPv6Address):
        return str(address)
    kept = int(address) >> (128 - _NETWORK_BITS) << (128 - _NETWORK_BITS)
    return f"{IPv6Address(kept)}/{_NETWORK_BITS}"
