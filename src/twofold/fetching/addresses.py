"""Which addresses are public; those of IPv6 that lead to IPv4 count as what they lead to."""

from __future__ import annotations

import ipaddress
import re

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: NAT64 (RFC 6052), and its prefix for local use (RFC 8215), behind which anything may be.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_LOCAL_NAT64 = ipaddress.ip_network("64:ff9b:1::/48")


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
    if ip in _NAT64 or is_compatible:
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else ip)


def is_public_address(text: str) -> bool:
    """Whether an address is reachable from everywhere."""
    ip = read_address(text)
    return ip.is_global and not (ip.version == 6 and ip in _LOCAL_NAT64)


def is_public_host(host: str) -> bool:
    """Whether an address is public, or a name looks as public ones do; nothing is resolved."""
    try:
        return is_public_address(host)
    except ValueError:
        name = _DOTS.sub(".", host).lower().rstrip(".")
        if _NUMBER.fullmatch(name.rpartition(".")[2]):
            return False  # `127.1` and `0x7f000001` are addresses to a resolver
        return "." in name and not name.endswith(_INTERNAL_SUFFIXES)
