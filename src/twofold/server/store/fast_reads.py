"""Reads in microseconds, for what clients ask for most: pages and files of public channels.

SQLite alone: one connection of the event loop's own, asked without a thread. What was read is kept
until anybody, in this process or another one, has changed the database (`PRAGMA data_version`),
so that a change is seen by the next request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from twofold.server.store.database import Database

#: What is kept at most (bytes).
MAX_CACHE_BYTES = 24 << 20

_CHANNELS = """SELECT name, id FROM channels WHERE public
    AND id NOT IN (SELECT channel_id FROM upstreams)"""
_PAGE = "SELECT body, etag FROM pages WHERE channel_id = ? AND key = ?"
_FILE = """SELECT sha256, size FROM files
    WHERE channel_id = ? AND subdir = ? AND filename = ? AND deleted_at IS NULL
    AND project_id NOT IN (SELECT id FROM projects WHERE status = 'quarantined')"""


@dataclass(frozen=True, slots=True)
class CachedFile:
    """As much of a stored file as is needed to send it."""

    sha256: str
    size: int


class FastReader:
    """For the event loop's thread alone. Channels that are not public, or that stand in front of
    an upstream, are not answered for: their readers take the way round.
    """

    def __init__(self, database: Database) -> None:
        # Kept, or the pool would give it to a writer: a connection's own changes do not count.
        self._connection = database.engine.raw_connection()
        self._cursor: Any = self._connection.cursor()
        self._version = -1
        self._channels: Mapping[str, int] = {}
        self._kept: dict[tuple[str, ...], Any] = {}
        self._size = 0

    def read_page(self, channel: str, key: str) -> tuple[bytes, str] | None:
        """(body, etag) of a page."""
        place = ("page", channel, key)
        if self._holds(place):
            found: tuple[bytes, str] | None = self._kept[place]
            return found
        row = self._row(channel, _PAGE, key)
        if row is None:
            return None
        page = (bytes(row[0]), str(row[1]))
        self._keep(place, page, len(page[0]))
        return page

    def read_file(self, channel: str, subdir: str, filename: str) -> CachedFile | None:
        place = ("file", channel, subdir, filename)
        if self._holds(place):
            found: CachedFile | None = self._kept[place]
            return found
        row = self._row(channel, _FILE, subdir, filename)
        if row is None:
            return None
        file = CachedFile(row[0], row[1])
        self._keep(place, file, 400)
        return file

    def _holds(self, place: tuple[str, ...]) -> bool:
        """Whether it is kept, and nobody has changed anything since."""
        ((version,),) = self._cursor.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            self._version = version
            self._kept.clear()
            self._size = 0
            self._channels = dict(self._cursor.execute(_CHANNELS).fetchall())
        return place in self._kept

    def _row(self, channel: str, query: str, *words: str) -> Any:
        channel_id = self._channels.get(channel)
        if channel_id is None:
            return None
        # All of it, because a statement left open would hold its view of the database.
        return next(iter(self._cursor.execute(query, (channel_id, *words)).fetchall()), None)

    def _keep(self, place: tuple[str, ...], value: object, size: int) -> None:
        if self._size + size > MAX_CACHE_BYTES:
            self._kept.clear()
            self._size = 0
        self._kept[place] = value
        self._size += size
