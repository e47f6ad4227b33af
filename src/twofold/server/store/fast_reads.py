"""Fast reads (microseconds) of the most requested data: pages and files of public channels.

SQLite only: the event loop has one connection of its own and uses it without a thread. Results are
cached until any process changes the database (`PRAGMA data_version`), so the next request sees
every change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, bindparam, select
from sqlalchemy.dialects import sqlite

from twofold.server.store.database import Database
from twofold.server.store.files import is_served
from twofold.server.store.schema import channels, files, pages, upstreams

#: Maximum size of the cache (bytes).
MAX_CACHE_BYTES = 24 << 20


def _compile(query: Select[Any]) -> str:
    """Compile a query to SQLite's SQL; its `?` are the bound values in the order of the text."""
    return str(query.compile(dialect=sqlite.dialect()))


#: Channels that anonymous readers see without an upstream.
_CHANNELS = _compile(
    select(channels.c.name, channels.c.id).where(
        channels.c.public, channels.c.id.not_in(select(upstreams.c.channel_id))
    )
)
_PAGE = _compile(
    select(pages.c.body, pages.c.etag, pages.c.serial).where(
        pages.c.channel_id == bindparam("channel_id"), pages.c.key == bindparam("key")
    )
)
_FILE = _compile(
    select(files.c.sha256, files.c.size).where(
        files.c.channel_id == bindparam("channel_id"),
        files.c.subdir == bindparam("subdir"),
        files.c.filename == bindparam("filename"),
        is_served(),
    )
)


@dataclass(frozen=True, slots=True)
class CachedFile:
    """The columns of a stored file that are needed to send it."""

    sha256: str
    size: int


class FastReader:
    """Reads for the event loop's thread only.

    Private channels and channels with an upstream are not served: use the normal route.
    """

    def __init__(self, database: Database) -> None:
        # Never returned to the pool, which would give it to a writer: data_version ignores a
        # connection's own changes.
        self._connection = database.engine.raw_connection()
        self._cursor: Any = self._connection.cursor()
        self._version = -1
        self._channels: Mapping[str, int] = {}
        self._cache: dict[tuple[str, ...], Any] = {}
        self._size = 0

    def read_page(self, channel: str, page_key: str) -> tuple[bytes, str, int] | None:
        """Return (body, etag, serial) of a page."""
        key = ("page", channel, page_key)
        if self._is_cached(key):
            found: tuple[bytes, str, int] | None = self._cache[key]
            return found
        row = self._fetch_row(channel, _PAGE, page_key)
        if row is None:
            return None
        page = (bytes(row[0]), str(row[1]), int(row[2]))
        self._save(key, page, len(page[0]))
        return page

    def read_file(self, channel: str, subdir: str, filename: str) -> CachedFile | None:
        """Return the hash and size of a file that is not deleted."""
        key = ("file", channel, subdir, filename)
        if self._is_cached(key):
            found: CachedFile | None = self._cache[key]
            return found
        row = self._fetch_row(channel, _FILE, subdir, filename)
        if row is None:
            return None
        file = CachedFile(row[0], row[1])
        self._save(key, file, 400)
        return file

    def _is_cached(self, key: tuple[str, ...]) -> bool:
        """Return whether an entry is cached and the database unchanged since."""
        ((version,),) = self._cursor.execute("PRAGMA data_version").fetchall()
        if version != self._version:
            self._version = version
            self._cache.clear()
            self._size = 0
            self._channels = dict(self._cursor.execute(_CHANNELS).fetchall())
        return key in self._cache

    def _fetch_row(self, channel: str, query: str, *parameters: str) -> Any:
        channel_id = self._channels.get(channel)
        if channel_id is None:
            return None
        # Fetches all rows, because an open statement would keep its snapshot of the database.
        return next(iter(self._cursor.execute(query, (channel_id, *parameters)).fetchall()), None)

    def _save(self, key: tuple[str, ...], value: object, size: int) -> None:
        if self._size + size > MAX_CACHE_BYTES:
            self._cache.clear()
            self._size = 0
        self._cache[key] = value
        self._size += size
