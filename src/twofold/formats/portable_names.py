"""File names that not every system can hold, or tell apart."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

#: Names that Windows keeps for devices, whatever their ending, and those it cannot hold.
_NOT_ON_WINDOWS = re.compile(
    r"(?i)(con|prn|aux|nul|com[1-9]|lpt[1-9])(\..*)?|.*[. ]|.*[<>:\"|?*].*"
)


class UnportablePath(NamedTuple):
    """A path, with `/` between its parts, and what is wrong with it."""

    path: str
    message: str


def find_unportable(paths: Iterable[str]) -> Iterator[UnportablePath]:
    """Of these paths those that Windows or macOS cannot tell from another, or hold at all.

    Their file systems, as they are set up, take `A` for `a`, and one Unicode form for another.
    """
    seen: dict[str, str] = {}
    for path in paths:
        folded = unicodedata.normalize("NFC", path).casefold()
        other = seen.setdefault(folded, path)
        if other != path:
            yield UnportablePath(path, f"two files differ only in case: {other}, {path}")
        if any(map(_NOT_ON_WINDOWS.fullmatch, path.split("/"))):
            yield UnportablePath(path, f"Windows cannot hold a file of this name: {path}")
