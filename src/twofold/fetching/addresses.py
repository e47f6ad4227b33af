"""Which addresses are public; those of IPv6 that lead to IPv4 count as what they lead to."""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Prefixes before an address of IPv4: NAT64 (RFC 6052) and translated addresses (RFC 2765).
_BEFORE_IPV4 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "::ffff:0:0:0/96")))
#: What Python's table, of some version, calls global: protocol assignments, relays of 6to4 (RFC
#: 7526), NAT64 for local use (RFC 8215), behind which anything may be, site-local addresses (RFC
#: 3879), segments of a network's own routing (RFC 9602), documentation (RFC 9637).
_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24"),
            *("64:ff9b:1::/48", "fec0::/10", "5f00::/16", "3fff::/20"),
        ),
    )
)

#: What IDNA reads as a dot (RFC 3490), and a last label that makes a name an address of IPv4.
_DOTS = re.compile("[\u3002\uff0e\uff61]")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")

#: Domains that no public server has.
_INTERNAL_SUFFIXES = (".local", ".internal", ".localhost", ".home.arpa")


def read_address(text: str) -> Address:
    """Parse an address; one of IPv6 that leads to an address of IPv4 is that one."""
    ip = ipaddress.ip_address(text.partition("%")[0])
    if ip.version == 4:
        return ip
    is_compatible = int(ip) >> 32 == 0 and int(ip) > 1
    if is_compatible or any(ip in network for network in _BEFORE_IPV4):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def is_public_address(text: str) -> bool:
    """Whether an address is that of one host, reachable from everywhere."""
    ip = read_address(text)
    if not ip.is_global or ip.is_multicast:
        return False
    return not any(ip.version == network.version and ip in network for network in _NOT_PUBLIC)


def is_public_host(host: str) -> bool:
    """Whether an address is public, or a name looks as public ones do; nothing is resolved."""
    try:
        return is_public_address(host)
    except ValueError:
        name = _DOTS.sub(".", host).lower().rstrip(".")
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return False  # `127.1` and `0x7f000001` are addresses to a resolver
        return "." in name and not name.endswith(_INTERNAL_SUFFIXES)
