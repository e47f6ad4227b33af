"""A writer that only notes what it is given: the dry run of `twofold build --list`."""

from __future__ import annotations

from twofold_build.archive import Content, Entry


class ListWriter:
    """Keeps (path, size in bytes, reason) of each entry, in order."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[tuple[str, int, str]] = []

    def add(self, entry: Entry, content: Content) -> None:
        self.entries.append((entry.path, len(content.data), entry.reason))

    def close(self) -> None:
        """Nothing was written, so nothing is to be finished."""

    def abort(self) -> None:
        """Nothing was written, so nothing is to be removed."""
