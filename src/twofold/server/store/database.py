"""The database connection: an engine for SQLite or PostgreSQL, and migrations.

SQLite: WAL, so that readers never wait; `synchronous=FULL`, so that acknowledged writes survive a
power cut; writers take the lock when they begin, so that none fails later because of a stale read.
PostgreSQL: readers have a snapshot (REPEATABLE READ); writers see other commits (READ COMMITTED),
so a transaction that reads before it writes takes a lock first: writers of one channel by its
`serial`, changes of accounts and roles by `serialized_write`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from enum import IntEnum
from functools import partial
from pathlib import Path
from threading import BoundedSemaphore, Lock
from typing import Any

from sqlalchemy import (
    URL,
    Connection,
    Dialect,
    Engine,
    PoolProxiedConnection,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    InvalidatePoolError,
    SQLAlchemyError,
)
from sqlalchemy.pool import ConnectionPoolEntry

from twofold.errors import StoreUnreachable, TwofoldError
from twofold.server.store.database_errors import translate_errors
from twofold.server.store.revisions import MIGRATIONS, list_revisions

__all__ = ["AdvisoryLock", "Connection", "Database", "acquire_lock"]

#: Time a writer waits for another one (milliseconds); longer than any of our transactions.
BUSY_TIMEOUT = 30_000

#: Time a request waits for a connection when all are in use (seconds).
POOL_TIMEOUT = 30

#: Scheme of the --database URL -> SQLAlchemy driver.
DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}


class Database:
    """The database. `url` is an SQLAlchemy URL of SQLite or PostgreSQL.

    Raises TwofoldError for any other.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.engine = self._create_engine()
        # SQLite's writers wait by sleeping and retrying, each holding a connection;
        # within a process they wait for this lock, which wakes them in order.
        self._write_lock = Lock() if self.is_sqlite else BoundedSemaphore(1 << 16)

    def _create_engine(self) -> Engine:
        if not self.is_sqlite:
            room = {"pool_size": 8, "max_overflow": 24, "pool_timeout": POOL_TIMEOUT}
            engine = create_engine(self.url, **room)
            event.listen(engine, "checkin", _note_use)
            event.listen(engine, "checkout", partial(_check_idle, engine.dialect))
            return engine
        if self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        timeout = {"timeout": BUSY_TIMEOUT / 1000}
        room = {"pool_size": 8, "max_overflow": 64, "pool_timeout": POOL_TIMEOUT}
        engine = create_engine(self.url, connect_args=timeout, **room)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a consistent snapshot for reading."""
        with translate_errors(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction for writing. Must not be nested in another one."""
        options = {"twofold_writes": True}
        with (
            self._write_lock,
            translate_errors(),
            self.engine.connect().execution_options(**options) as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def write_soon(self, patience: float) -> Iterator[Connection]:
        """Open a transaction for writing, or raise StoreUnreachable after some seconds."""
        if not self._write_lock.acquire(timeout=patience):
            raise StoreUnreachable(
                "the database is busy: another change is being made", "try again"
            )
        try:
            with (
                translate_errors(),
                self.engine.connect().execution_options(twofold_writes=True) as connection,
                self._waiting(connection, patience),
                connection.begin(),
            ):
                yield connection
        finally:
            self._write_lock.release()

    @contextmanager
    def _waiting(self, connection: Connection, patience: float) -> Iterator[None]:
        """Wait for locks of other processes no longer than this (seconds)."""
        if not self.is_sqlite:
            with connection.begin():
                connection.exec_driver_sql(f"SET lock_timeout = {int(patience * 1000)}")
            try:
                yield
            finally:
                with connection.begin():
                    connection.exec_driver_sql("SET lock_timeout = DEFAULT")
            return
        raw = connection.connection.dbapi_connection
        assert raw is not None
        raw.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
        try:
            yield
        finally:
            raw.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT}")

    @contextmanager
    def serialized_write(self) -> Iterator[Connection]:
        """Open a transaction as `write` does, one at a time across processes."""
        with self.write() as connection:
            acquire_lock(connection, AdvisoryLock.ADMINISTRATION)
            yield connection

    def open_for_good(self) -> PoolProxiedConnection:
        """Open a connection that its user keeps. Raises StoreUnreachable."""
        try:
            with translate_errors():
                return self.engine.raw_connection()
        except self.driver_error as error:  # SQLAlchemy wraps none of a raw connection
            reason = str(error).strip().splitlines()[0]
            message = f"the database is unreachable: {reason}"
            raise StoreUnreachable(message, "try again; see the server's --database") from error

    @property
    def driver_error(self) -> type[BaseException]:
        """The error of the driver, for who uses its connection."""
        return self.engine.dialect.loaded_dbapi.Error

    def migrate(self) -> None:
        """Migrate the schema to this version of twofold; safe to run in several processes at once.

        Raises TwofoldError for a database of a newer version.

        Alembic costs 0.3 s to import, so it is used only if the schema is outdated.
        """
        revisions = list_revisions()
        current = self.read_revision()
        if current == revisions[-1]:
            return
        if current and current not in revisions:
            raise TwofoldError(
                f"the database has the schema {current}, this twofold knows {revisions[-1]}",
                "upgrade twofold, or restore the backup made before the upgrade",
            )
        from alembic import command
        from alembic.config import Config

        with self.serialized_write() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

    def read_revision(self) -> str:
        """Return the revision of the schema, '' for an empty database."""
        with self.read() as connection:
            if not inspect(connection).has_table("alembic_version"):
                return ""
            found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
            return str(found or "")

    def find_damage(self) -> list[str]:
        """Return what SQLite's own check finds wrong; PostgreSQL has checksums of its own."""
        if not self.is_sqlite:
            return []
        with self.read() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars()
            return [str(line) for line in found if line != "ok"]

    def count_tables(self) -> int:
        """Return how many tables there are, of other programs too."""
        with self.read() as connection:
            return len(inspect(connection).get_table_names())

    def check_writable(self, patience: float) -> None:
        """Check that a change can be made within some seconds. Raises TwofoldError."""
        try:
            with self.write_soon(patience) as connection:
                connection.exec_driver_sql(
                    "UPDATE alembic_version SET version_num = version_num WHERE 1 = 0"
                )
        except DatabaseError as error:  # PostgreSQL: a standby, or no permission
            reason = str(error.orig).strip().splitlines()[0]
            hint = "name the primary server, with the owner of the tables, in --database"
            raise TwofoldError(f"the database cannot be changed: {reason}", hint) from error

    def read_clock(self) -> datetime | None:
        """Return the clock of the database's server; None for SQLite, which has none."""
        if self.is_sqlite:
            return None
        with self.read() as db:
            clock = db.execute(text("SELECT clock_timestamp()")).scalar_one()
            return datetime.fromisoformat(str(clock)).astimezone(UTC)

    def is_reachable(self) -> bool:
        """Return whether the database is reachable now."""
        try:
            with self.engine.connect() as connection:
                return bool(connection.execute(text("SELECT 1")).scalar())
        except SQLAlchemyError:
            return False

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class AdvisoryLock(IntEnum):
    """Locks across processes, in the order of acquisition to avoid deadlocks.

    A channel's lock comes between the first two.
    """

    ADMINISTRATION = 2206
    AUDIT = 2207
    LOGIN_ATTEMPTS = 2208


def acquire_lock(connection: Connection, lock: AdvisoryLock) -> None:
    """Hold a lock until the transaction ends; other processes wait for it.

    On SQLite every writing transaction excludes others from its beginning.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:turn)"), {"turn": int(lock)})


def _parse_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        parsed = None
    if parsed is None or parsed.drivername not in DRIVERS:
        # The URL may contain a password: only its scheme is repeated.
        kind = url.partition("://")[0] + "://..." if "://" in url else url
        raise TwofoldError(
            f"'{kind}' is not a supported database URL",
            "use postgresql://user@host/name or sqlite:///path/to/file",
        )
    if parsed.drivername == "sqlite" and parsed.database in (None, "", ":memory:"):
        # Every connection would have a database of its own, and all would end with the process.
        raise TwofoldError(f"'{url}' names no file", "use sqlite:///path/to/file")
    return parsed.set(drivername=DRIVERS[parsed.drivername])


#: Idle seconds after which a connection is tried before its use, which costs as much as a query.
#: Without a trial, a connection that has ended fails its request (503).
TRIED_AFTER = 1.0


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info["used_at"] = time.monotonic()


def _check_idle(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Have the pool's connections replaced when one that was idle has ended."""
    if time.monotonic() - record.info.get("used_at", 0.0) <= TRIED_AFTER:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


#: Pages (4 KiB) of SQLite's log from which it is copied into the database. A project's page is
#: written by each of its uploads, and so copied once for many.
CHECKPOINT_PAGES = 4000


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is executed explicitly
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        f"busy_timeout={BUSY_TIMEOUT}",
        "cache_size=-16000",
        f"wal_autocheckpoint={CHECKPOINT_PAGES}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("twofold_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
