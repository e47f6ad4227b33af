"""The queries of the fast path, and the cache of what they found at one version of the database.

Each takes a channel's id: who may read the channel is decided before (`registry.fast_reader`).
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, literal_column, select

from twofold.server.store.database import Database
from twofold.server.store.files import is_served
from twofold.server.store.postgres_reads import PostgresReads
from twofold.server.store.schema import files, pages, shard_bodies
from twofold.server.store.versioned_reads import (
    RawQuery,
    Row,
    SqliteReads,
    Version,
    VersionedReads,
)

__all__ = ["RawQuery", "Row", "Version"]

#: Maximum size of the cache (bytes): of small values, and of large ones, which have a place of
#: their own, so that the page of a project with 20,000 files (10 MB) pushes out no small one.
MAX_CACHE_BYTES, MAX_LARGE_BYTES = 24 << 20, 64 << 20

#: From which size on a value is large (bytes).
LARGE = 4 << 20

#: Size of an entry beside the bytes it holds: its key, and what Python needs.
ENTRY_BYTES = 400

_FILE_OF_NAME = (
    files.c.channel_id == bindparam("channel_id"),
    files.c.subdir == bindparam("subdir"),
    files.c.filename == bindparam("filename"),
    is_served(),
)

#: channel_id, key -> body, etag, serial.
PAGE = RawQuery(
    select(pages.c.body, pages.c.etag, pages.c.serial).where(
        pages.c.channel_id == bindparam("channel_id"), pages.c.key == bindparam("key")
    )
)

#: channel_id, subdir, filename -> sha256, size, id of the wheel it was converted from, id.
FILE = RawQuery(
    select(files.c.sha256, files.c.size, files.c.made_from, files.c.id).where(*_FILE_OF_NAME)
)

#: channel_id, subdir, filename -> sha256, METADATA of a wheel.
METADATA = RawQuery(
    select(files.c.sha256, files.c.metadata).where(
        *_FILE_OF_NAME, files.c.kind == literal_column("'wheel'")
    )
)

#: channel_id, sha256 -> body.
SHARD = RawQuery(
    select(shard_bodies.c.body).where(
        shard_bodies.c.channel_id == bindparam("channel_id"),
        shard_bodies.c.sha256 == bindparam("sha256"),
    )
)


@dataclass(frozen=True, slots=True)
class CachedFile:
    """The columns of a stored file that are needed to send it."""

    sha256: str
    size: int
    is_converted: bool
    id: int


def open_reads(database: Database) -> VersionedReads:
    """Return the reads of a database for the running event loop."""
    return SqliteReads(database) if database.is_sqlite else PostgresReads(database)


class Cache:
    """Values by key that hold at one version.

    A limit of bytes empties it; of large values the ones that were kept first are dropped.
    """

    def __init__(self) -> None:
        self.version: Version | None = None
        self._entries: dict[Hashable, Any] = {}
        self._size = 0
        self._large: dict[Hashable, int] = {}

    def renew(self, version: Version) -> None:
        """Forget everything when the version is another one."""
        if version != self.version:
            self.version = version
            self._clear()

    def _clear(self) -> None:
        self._entries.clear()
        self._large.clear()
        self._size = 0

    def get(self, key: Hashable, default: object = None) -> Any:
        """Return a value, or the default."""
        return self._entries.get(key, default)

    def put(self, version: Version, key: Hashable, value: object, size: int = 0) -> bool:
        """Keep a value of a version; False when another one is kept, or it is too large."""
        if version != self.version or size > MAX_LARGE_BYTES:
            return False
        if size >= LARGE:
            self._make_room(key, size)
        else:
            size += ENTRY_BYTES
            if self._size + size > MAX_CACHE_BYTES:
                large = {one: self._entries[one] for one in self._large}
                self._entries.clear()
                self._entries.update(large)
                self._size = 0
            self._size += size
        self._entries[key] = value
        return True

    def _make_room(self, key: Hashable, size: int) -> None:
        """Drop large values until this one has room, and count it."""
        self._large.pop(key, None)
        while self._large and sum(self._large.values()) + size > MAX_LARGE_BYTES:
            oldest = next(iter(self._large))
            del self._large[oldest], self._entries[oldest]
        self._large[key] = size
