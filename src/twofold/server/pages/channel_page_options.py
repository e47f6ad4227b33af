"""How a channel's conda pages are rendered: its rules `base-url` and `v3`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

#: The longest URL accepted (characters).
MAX_URL_LENGTH = 500


@dataclass(frozen=True)
class CondaPageOptions:
    """`base_url` (CEP 15): where packages are downloaded from, '' for beside the pages.

    `v3`: whether repodata lists pure wheels as well (CEP 43-45, 48).
    """

    base_url: str = ""
    v3: bool = False

    def base_url_for(self, subdir: str) -> str:
        """Return the base_url of a subdir's pages; '' when packages are beside them."""
        return f"{self.base_url}/{subdir}/" if self.base_url else ""

    @property
    def key_suffix(self) -> str:
        """The suffix of the keys of pages with these options; '' for the default."""
        if self == CondaPageOptions():
            return ""
        return "@" + hashlib.sha256(f"{self.v3} {self.base_url}".encode()).hexdigest()[:12]


def from_settings(settings: Mapping[str, Any]) -> CondaPageOptions:
    """Read the options from a channel's settings."""
    return CondaPageOptions(settings.get("base-url") or "", bool(settings.get("v3")))


def parse_base_url(text: str) -> str | None:
    """Parse the rule `base-url`; None for 'none'. Raises ValueError."""
    if text == "none":
        return None
    parts = urlsplit(text)
    plain = (
        text.isascii() and text.isprintable() and " " not in text and len(text) <= MAX_URL_LENGTH
    )
    if not plain or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("an http or https address, or none")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("an address without a login, a query and a fragment")
    return text.rstrip("/")
