"""The door to SQL: an engine for SQLite or PostgreSQL, and its migrations.

SQLite: WAL, so that readers never wait; `synchronous=FULL`, so that what was acknowledged
survives a power cut; writers take the lock when they begin, so that none has to be told later that
its reading was stale. PostgreSQL: readers see one moment (REPEATABLE READ); writers see what others
have finished (READ COMMITTED), so whoever looks before it writes takes a turn first: writers of one
channel at its `serial`, those who change people and rights in `write_in_turn`.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import IntEnum
from pathlib import Path
from threading import Lock
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    CursorResult,
    Engine,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import ArgumentError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from twofold.errors import TwofoldError, Unreachable

__all__ = ["AdvisoryLock", "Connection", "Database", "acquire_lock", "inserted_id"]

#: How long a writer waits for another one (milliseconds); longer than any transaction of ours.
BUSY_TIMEOUT = 30_000

#: How long a request waits for a connection when all are in use (seconds).
PATIENCE = 30

#: What may stand before :// in --database, and the driver that serves it.
DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """Where records live. `url` is an SQLAlchemy URL of SQLite or PostgreSQL.

    Raises TwofoldError for any other.
    """

    def __init__(self, url: str) -> None:
        self.url = _parsed(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._engine()
        # SQLite's writers wait by sleeping and trying again, each with a connection in its hand;
        # within a process they take turns at this lock, which wakes them in order.
        self._turn = Lock() if self.is_sqlite else nullcontext()

    def _engine(self) -> Engine:
        if not self.is_sqlite:
            room = {"pool_size": 8, "max_overflow": 24, "pool_timeout": PATIENCE}
            return create_engine(self.url, pool_pre_ping=True, **room)
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        timeout = {"timeout": BUSY_TIMEOUT / 1000}
        room = {"pool_size": 8, "max_overflow": 64, "pool_timeout": PATIENCE}
        engine = create_engine(self.url, connect_args=timeout, **room)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A consistent view; nothing is written."""
        with _told(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One transaction: everything or nothing. Must not be nested in another one."""
        options = {"twofold_writes": True}
        with (
            self._turn,
            _told(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def serialized_write(self) -> Iterator[Connection]:
        """As `write`, and no other process does so meanwhile: what was looked up stays true."""
        with self.write() as connection:
            acquire_lock(connection, AdvisoryLock.ADMINISTRATION)
            yield connection

    def migrate(self) -> None:
        """Bring the schema to this version of twofold; several processes may try at once.

        Alembic costs 0.3 s to import, so it is asked only when the schema is not the newest.
        """
        if self._version() == _newest_version():
            return
        from alembic import command
        from alembic.config import Config

        with self.serialized_write() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def _version(self) -> str:
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            query = text("SELECT version_num FROM alembic_version")
            return str(connection.execute(query).scalar() or "")

    def is_reachable(self) -> bool:
        """Whether the database can be reached now."""
        try:
            with self.engine.connect() as connection:
                connection.execute(text("SELECT 1"))
        except SQLAlchemyError:
            return False
        return True

    def close(self) -> None:
        self.engine.dispose()


class AdvisoryLock(IntEnum):
    """What processes queue for. In this order, a channel's turn between the first two: nobody who
    holds a later one asks for an earlier one, so that no two wait for each other.
    """

    ADMINISTRATION = 2206
    AUDIT = 2207
    LOGIN_ATTEMPTS = 2208


def acquire_lock(connection: Connection, lock: AdvisoryLock) -> None:
    """Other processes that come to this point wait there until the transaction ends.

    SQLite's writing transactions do so from their beginning.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": int(lock)})


def _newest_version() -> str:
    """The first part of the last migration's file name is its revision."""
    names = sorted(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py"))
    return names[-1].partition("_")[0]


def inserted_id(done: CursorResult[Any]) -> int:
    """The id that an INSERT gave."""
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in DRIVERS:
        # The URL itself may hold a password: only what stands before it is repeated.
        kind = url.partition("://")[0] + "://..." if "://" in url else url
        raise TwofoldError(
            f"'{kind}' is no address of a database that the registry can use",
            "use postgresql://user@host/name or sqlite:///path/to/file",
        )
    return parsed.set(drivername=DRIVERS[parsed.drivername])


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT}",
        "cache_size=-16000",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("twofold_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _told() -> Iterator[None]:
    """A database that is away, locked or full, as a message."""
    try:
        yield
    except PoolTimeout as error:
        text = "the database is busy: every connection is in use"
        raise Unreachable(text, "try again") from error
    except OperationalError as error:
        reason = str(error.orig).strip().splitlines()[0]
        if "full" in reason:
            raise OSError(errno.ENOSPC, f"the database cannot grow: {reason}") from error
        raise Unreachable(
            f"the database does not answer: {reason}", "try again; see the server's --database"
        ) from error
