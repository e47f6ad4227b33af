"""File names that some systems cannot hold or cannot distinguish."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from twofold.source_analysis.expressions import expression

#: Names that Windows reserves for devices, whatever extension follows.
_DEVICE = expression(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³])(\..*)?")
#: Names that Windows cannot hold.
_NOT_ON_WINDOWS = expression(r".*[. ]|[^<>:\"|?*]*+[<>:\"|?*].*")


def is_device_name(name: str) -> bool:
    """Whether Windows reserves a file name for a device."""
    return _DEVICE.fullmatch(name) is not None


class UnportablePath(NamedTuple):
    """A path, with `/`, and what is wrong with it."""

    path: str
    message: str


def find_unportable(paths: Iterable[str]) -> Iterator[UnportablePath]:
    """Yield the paths that Windows or macOS cannot hold or cannot distinguish.

    By default their file systems ignore case and the Unicode normalization form.
    """
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        folded = unicodedata.normalize("NFC", path).casefold()
        other = seen.setdefault(folded, path)
        if other != path:
            yield UnportablePath(path, f"two files differ only in case: {other}, {path}")
        folder = folded.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = path
            folder = folder.rpartition("/")[0]
        parts = path.split("/")
        if any(is_device_name(part) or _NOT_ON_WINDOWS.fullmatch(part) for part in parts):
            yield UnportablePath(path, f"Windows does not allow this file name: {path}")
    for folded in seen.keys() & folders.keys():
        message = f"a file and a folder differ only in case: {seen[folded]}, {folders[folded]}"
        yield UnportablePath(seen[folded], message)
