"""The proxy for a URL: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, as curl and pip read them.

Names in lower case have precedence, and an empty one turns the proxy off. Without any of them the
settings of macOS and Windows count.
"""

from __future__ import annotations

import ipaddress
import os
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from twofold.errors import TwofoldError
from twofold.publish.addresses import Secret, redact_url

#: The schemes of proxies, and the port of a URL without one.
_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080}
_PORTS["socks5h"] = 1080

SYSTEM = "the system's settings"


@dataclass(frozen=True)
class Proxy:
    """A proxy; `source` is the variable that names it. The login is a secret.

    `url` has no login.
    """

    url: str
    source: str
    user: str = ""
    password: Secret | None = None

    @property
    def is_socks(self) -> bool:
        """Whether it speaks SOCKS."""
        return self.url.startswith("socks")

    def __str__(self) -> str:
        return f"the proxy {self.url} ({self.source})"


def find_proxy(url: str) -> Proxy | None:
    """The proxy for a URL; None to connect directly.

    Raises TwofoldError, which names the variable and no login, if its URL is invalid.
    """
    if not any(name.lower().endswith("_proxy") for name in os.environ) and os.name == "posix":
        import sys

        if sys.platform != "darwin":
            return None
    parts = urlsplit(url)
    source, address = _read_setting(parts.scheme)
    host = parts.hostname or ""
    port = parts.port or _PORTS.get(parts.scheme, 0)
    if not address or _is_excluded_by_system(source, host) or is_excluded(host, port):
        return None
    return _parse_proxy(address, source)


def _read_setting(scheme: str) -> tuple[str, str]:
    """Where the proxy for a scheme is set, and its URL; '' if there is none."""
    for name in (f"{scheme}_proxy", "all_proxy"):
        for spelled in (name, name.upper()):
            # A web server sets HTTP_PROXY for its CGI programs from a header of the request.
            if spelled == "HTTP_PROXY" and "REQUEST_METHOD" in os.environ:
                continue
            if spelled in os.environ:
                return spelled, os.environ[spelled].strip()
    if os.name == "posix" and not _has_system_settings():
        return "", ""
    from urllib.request import getproxies

    return SYSTEM, getproxies().get(scheme, "")


def _has_system_settings() -> bool:
    import sys

    return sys.platform == "darwin"


def _is_excluded_by_system(source: str, host: str) -> bool:
    if source != SYSTEM:
        return False
    from urllib.request import proxy_bypass

    return bool(proxy_bypass(host))


def is_excluded(host: str, port: int) -> bool:
    """Whether NO_PROXY excludes a host.

    Its entries, between commas or blanks, are host names (with the hosts below them, with a dot in
    front or without), addresses, networks (`10.0.0.0/8`, `fd00::/8`), each of them also with
    `:PORT`, or `*` for every host.
    """
    value = os.environ.get("no_proxy", os.environ.get("NO_PROXY", ""))
    name = host.casefold().rstrip(".").partition("%")[0]
    return any(_matches(entry, name, port) for entry in re.split(r"[\s,]+", value) if entry)


def _matches(entry: str, host: str, port: int) -> bool:
    entry, only_port = _split_port(entry.casefold())
    if only_port not in (0, port):
        return False
    if entry == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = entry.removeprefix("*").strip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
    mapped = getattr(address, "ipv4_mapped", None)
    try:
        network = ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
    return address in network or (mapped is not None and mapped in network)


def _split_port(entry: str) -> tuple[str, int]:
    """An entry without its port, and the port; 0 if it names none."""
    bracketed = re.fullmatch(r"\[([^\]]*)\](/\d+)?(?::(\d+))?", entry)
    if bracketed:
        return bracketed[1] + (bracketed[2] or ""), int(bracketed[3] or 0)
    host, colon, port = entry.rpartition(":")
    is_port = colon and port.isascii() and port.isdigit() and ":" not in host
    return (host, int(port)) if is_port else (entry, 0)


def _parse_proxy(address: str, source: str) -> Proxy:
    hint = (
        "write it as http://HOST:PORT; with a login http://USER:PASSWORD@HOST:PORT, whose special "
    )
    hint += "characters are percent-encoded (@ as %40)"
    if "://" not in address:
        address = f"http://{address}"
    try:
        parts = urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise TwofoldError(f"{source} is not the URL of a proxy", hint) from None
    netloc = parts.netloc.rpartition("@")[2]
    if not host or port == 0 or re.search(r"[\s@%]", netloc) or parts.netloc.count("@") > 1:
        raise TwofoldError(f"{source} is not the URL of a proxy", hint)
    if parts.scheme not in _PORTS:
        raise TwofoldError(
            f"{source} names a proxy of an unknown kind: {redact_url(address)}",
            "use an http, https or socks5 proxy, or name the host in NO_PROXY",
        )
    shown = f"[{host}]" if ":" in host else host
    url = f"{parts.scheme}://{shown}:{port or _PORTS[parts.scheme]}"
    password = Secret(unquote(parts.password)) if parts.password else None
    return Proxy(url, source, unquote(parts.username or ""), password)
