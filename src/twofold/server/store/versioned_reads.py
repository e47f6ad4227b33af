"""Reads that say which version of the database they saw, for what a process keeps in memory.

Any commit of any process gives the database another version, so what was read at a version holds
for as long as the version is the same. Asking for it costs microseconds: SQLite counts the commits
of others (`PRAGMA data_version`); PostgreSQL names the transactions that a snapshot sees
(`pg_current_snapshot`), in `store.postgres_reads`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection, LargeBinary, Select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.types import Integer

from twofold.errors import StoreUnreachable
from twofold.server.store.database import Database

T = TypeVar("T")

#: What identifies a state of the database; equal means that nothing was committed in between.
Version = int | bytes

Row = tuple[Any, ...]


class RawQuery:
    """A query of at most one row as SQL of both databases, without SQLAlchemy's cost for each run.

    It may bind values by name, and select text, integers and bytes.
    """

    def __init__(self, query: Select[Any]) -> None:
        plain = query.compile(dialect=sqlite.dialect())
        self.sqlite = str(plain)
        self._sqlite_order = plain.positiontup or []
        numbered = query.compile(dialect=postgresql.dialect(paramstyle="numeric_dollar"))  # type: ignore[no-untyped-call]
        # One row in any case, so that it always brings the snapshot that the query saw.
        self.postgresql = (
            "SELECT pg_current_snapshot()::text, found.* FROM (SELECT 1) AS one "
            f"LEFT JOIN ({numbered}) AS found ON true"
        ).encode()
        self._postgresql_order = numbered.positiontup or []
        self._decoders = [_decoder_of(column.type) for column in query.selected_columns]

    def sqlite_values(self, values: Mapping[str, Any]) -> list[Any]:
        """Return the values in the order of SQLite's text."""
        return [values[name] for name in self._sqlite_order]

    def postgresql_values(self, values: Mapping[str, Any]) -> list[bytes]:
        """Return the values as PostgreSQL's text parameters."""
        return [str(values[name]).encode() for name in self._postgresql_order]

    def decode(self, values: list[bytes | None]) -> Row | None:
        """Return the row of a binary result; None when no row was found."""
        if all(value is None for value in values):
            return None
        return tuple(
            None if value is None else decode(value)
            for decode, value in zip(self._decoders, values, strict=True)
        )


def _decoder_of(kind: Any) -> Callable[[bytes], Any]:
    if isinstance(kind, LargeBinary):
        return bytes
    if isinstance(kind, Integer):
        return lambda value: int.from_bytes(value, "big", signed=True)
    return lambda value: value.decode()


class VersionedReads(Protocol):
    """Reads for the event loop's thread. Each may raise StoreUnreachable.

    `version_now` returns the version at once, where nothing has to be waited for.
    """

    version_now: Callable[[], Version] | None

    async def read_version(self) -> Version:
        """Return the version at a moment after this call."""

    async def fetch(self, query: RawQuery, **values: Any) -> tuple[Version, Row | None]:
        """Return the row, and a version at which it was the right one."""

    async def run(self, read: Callable[[Connection], T]) -> tuple[Version, T]:
        """Return what a function reads, and a version at which it was right."""


class SqliteReads:
    """Reads by a connection of the event loop, without a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Never returned to the pool, which would give it to a writer: data_version ignores a
        # connection's own changes.
        self._connection = database.engine.raw_connection()
        self._cursor: Any = self._connection.cursor()
        self.version_now: Callable[[], Version] | None = self._data_version

    async def read_version(self) -> Version:
        """Return the version now."""
        return self._data_version()

    def _data_version(self) -> int:
        ((version,),) = self._execute("PRAGMA data_version")
        return int(version)

    def _execute(self, query: str, values: Sequence[Any] = ()) -> list[Row]:
        try:
            # Fetches all rows, because an open statement would keep its snapshot of the database.
            rows: list[Row] = self._cursor.execute(query, values).fetchall()
        except self._database.driver_error as error:
            raise StoreUnreachable(f"the database is unreachable: {error}", "try again") from error
        return rows

    async def fetch(self, query: RawQuery, **values: Any) -> tuple[Version, Row | None]:
        """Return the row, and the version after the query: the same as before it, or no match."""
        rows = self._execute(query.sqlite, query.sqlite_values(values))
        return self._data_version(), rows[0] if rows else None

    async def run(self, read: Callable[[Connection], T]) -> tuple[Version, T]:
        """Return what a function reads, and the version after it."""
        with self._database.read() as db:
            found = read(db)
        return self._data_version(), found
