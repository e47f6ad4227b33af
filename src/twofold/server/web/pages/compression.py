"""Compresses pages as the client accepts it: zstd or gzip (RFC 9110, 12.5.3; RFC 8878)."""

from __future__ import annotations

from isal import igzip

from twofold.formats.light import zstd
from twofold.server.web.accept import parse_accept

#: Smaller bodies go as they are: a header and a checksum would be most of what is saved (bytes).
MIN_SIZE = 600

#: Codings the server has, the better one first.
CODINGS = ("zstd", "gzip")


def choose_coding(accept: str) -> str:
    """Return the coding for an Accept-Encoding header, '' for none."""
    qualities = parse_accept(accept)
    accepted = {name: qualities.get(name, qualities.get("*", 0.0)) for name in CODINGS}
    best = max(CODINGS, key=lambda name: accepted[name])
    return best if accepted[best] > 0 else ""


def compress(body: bytes, accept: str) -> tuple[bytes, str]:
    """Return a body as the client accepts it, with its coding or ''."""
    coding = choose_coding(accept) if len(body) >= MIN_SIZE else ""
    if coding == "zstd":
        return zstd.compress(body, 6), coding
    if coding == "gzip":
        return igzip.compress(body, 3, mtime=0), coding
    return body, ""
