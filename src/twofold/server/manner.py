"""How a channel's conda pages are written, as its rules say: `base-url` and `v3`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: The longest address that is taken (characters).
LONGEST = 500


@dataclass(frozen=True)
class Manner:
    """`base_url` (CEP 15): where the channel's packages are fetched from, '' for beside the pages.

    `v3`: whether pure wheels are listed as they are, too (CEP 43-45, 48).
    """

    base_url: str = ""
    v3: bool = False

    def base_of(self, subdir: str) -> str:
        """The base_url of a subdir's pages; '' when its packages lie beside them."""
        return f"{self.base_url}/{subdir}/" if self.base_url else ""

    @property
    def variant(self) -> str:
        """What is added to the keys of pages that are written in this manner; '' for the usual."""
        if self == Manner():
            return ""
        return "@" + hashlib.sha256(f"{self.v3} {self.base_url}".encode()).hexdigest()[:12]


def manner_of(settings: Mapping[str, Any]) -> Manner:
    """From a channel's settings."""
    return Manner(settings.get("base-url") or "", bool(settings.get("v3")))


def base_url(word: str) -> str | None:
    """The rule `base-url` from its word; None for 'none'. Raises ValueError."""
    if word == "none":
        return None
    parts = urlsplit(word)
    plain = word.isascii() and word.isprintable() and " " not in word and len(word) <= LONGEST
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http or https address, or none")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address without a login, a query and a fragment")
    return word.rstrip("/")
