"""The registry's own address, and requests that pages of other sites make.

Browsers keep a Basic login and send it with every request to its server, whichever page makes it.
So a request that changes something is refused when the browser says that it comes from elsewhere
(Sec-Fetch-Site, Origin; OWASP's cross-site request forgery). Other clients send neither header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.types import Scope

from twofold.errors import TwofoldError

#: Methods that change nothing (RFC 9110).
SAFE_METHODS = {"GET", "HEAD", "OPTIONS", "TRACE"}

#: What a public URL may be made of: everything that is written begins with it, unquoted.
_PUBLIC_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<netloc>(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?)"
    r"(?P<prefix>(?:/[a-z0-9._~!$&'()*+,;=:@-]*)*)",
    re.IGNORECASE | re.ASCII,
)
_DEFAULT_PORTS = (":80", ":443")


@dataclass(frozen=True)
class PublicUrl:
    """The URL under which clients reach the registry; `prefix` is '' or begins with a slash."""

    scheme: str
    netloc: str
    prefix: str

    def apply(self, scope: Scope) -> Scope:
        """Return the scope of a request with this address in place of the one it came by.

        Proxies pass the prefix on or take it away: it is taken out of the path where it is.
        """
        host = (b"host", self.netloc.encode())
        headers = [host, *(pair for pair in scope["headers"] if pair[0] != b"host")]
        changed = {"scheme": self.scheme, "headers": headers, "app_root_path": self.prefix}
        path, raw = scope["path"], scope.get("raw_path", b"")
        if self.prefix and (path == self.prefix or path.startswith(f"{self.prefix}/")):
            changed["path"] = path[len(self.prefix) :] or "/"
            changed["raw_path"] = raw[len(self.prefix.encode()) :] or b"/"
        return {**scope, **changed}


def parse_public_url(text: str) -> PublicUrl | None:
    """Parse the setting; None for ''. Raises TwofoldError."""
    if not text:
        return None
    hint = "give it as https://host or https://host/prefix, in ASCII"
    found = _PUBLIC_URL.fullmatch(text)
    if found is None or int(found["port"] or 0) > 65535:
        raise TwofoldError(f"'{text}' is not a public URL", hint)
    prefix = found["prefix"].rstrip("/")
    if any(part in ("", ".", "..") for part in prefix.split("/")[1:]):
        raise TwofoldError(f"'{text}' is not a public URL: its path is no plain one", hint)
    return PublicUrl(found["scheme"].lower(), found["netloc"].lower(), prefix)


def is_from_another_site(scope: Scope) -> bool:
    """Whether a browser says that a page of another site makes this request."""
    headers = {name: value.decode("latin-1").strip().lower() for name, value in scope["headers"]}
    fetch_site = headers.get(b"sec-fetch-site")
    if fetch_site is not None:
        return fetch_site not in ("same-origin", "none")
    origin = headers.get(b"origin")
    if origin is None:
        return False
    own = headers.get(b"host", "")
    return not own or _without_port(urlsplit(origin).netloc) != _without_port(own)


def _without_port(netloc: str) -> str:
    for port in _DEFAULT_PORTS:
        netloc = netloc.removesuffix(port)
    return netloc
