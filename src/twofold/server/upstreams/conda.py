"""A conda channel upstream: its repodata as offers, and offers among our own records.

The whole of a subdir's repodata is read (`.zst` where the upstream has it), so this suits channels
of tens of thousands of packages, not all of conda-forge.
"""

from __future__ import annotations

import io
import json
from collections.abc import Container, Iterable
from typing import Any
from urllib.parse import quote, urljoin

import zstandard

from twofold.errors import Unreachable
from twofold.server.upstreams.http import Source, fetch_page
from twofold.server.upstreams.offers import Offer

#: The largest repodata.json that is read (bytes, unpacked).
LARGEST = 512 << 20

_ENDINGS = (".conda", ".tar.bz2")


def offers(source: Source, subdir: str) -> list[Offer] | None:
    """What the upstream has in a subdir; None when it has no such subdir. Raises Unreachable."""
    base = f"{source.url.rstrip('/')}/{quote(subdir)}/"
    for name in ("repodata.json.zst", "repodata.json"):
        found = fetch_page(source, urljoin(base, name), "*/*")
        if found is not None:
            body, _, address = found
            try:
                value = json.loads(_unpacked(body) if name.endswith(".zst") else body)
                every = list(_records(value, urljoin(address, ".")))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                text = f"the upstream's page {address} cannot be read: {error}"
                raise Unreachable(text) from error
            return [offer for offer in every if offer.is_sound]
    return None


def _unpacked(body: bytes) -> bytes:
    try:
        with zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body)) as reader:
            unpacked = bytes(reader.read(LARGEST + 1))
    except zstandard.ZstdError as error:
        raise ValueError(str(error)) from error
    if len(unpacked) > LARGEST:
        raise ValueError(f"it is larger than {LARGEST} bytes")
    return unpacked


def _records(value: dict[str, Any], address: str) -> Iterable[Offer]:
    base = urljoin(address, str(value.get("info", {}).get("base_url") or ""))
    for group in ("packages", "packages.conda"):
        for filename, record in value.get(group, {}).items():
            if filename.endswith(_ENDINGS) and isinstance(record.get("name"), str):
                sha256 = str(record.get("sha256", "")).lower()
                yield Offer(filename, sha256, urljoin(base, quote(filename)), record)


def merged(own: bytes, offered: Iterable[Offer], private: Container[str]) -> bytes:
    """Our repodata.json with the offers whose names are not private; what lies here wins."""
    value = json.loads(own)
    for offer in offered:
        group = "packages" if offer.filename.endswith(".tar.bz2") else "packages.conda"
        if offer.entry["name"] not in private:
            value[group].setdefault(offer.filename, offer.entry)
    return json.dumps(value, separators=(",", ":")).encode()
