"""Versioned reads of PostgreSQL, by one connection that belongs to the event loop.

The version is the snapshot's own name, which changes with every transaction that ends. All requests
that wait share one round trip, which begins after the last of them came: so each of them sees what
was committed before it, and sixteen cost little more than one.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, text

from twofold.errors import StoreUnreachable
from twofold.server.store.database import Database
from twofold.server.store.versioned_reads import RawQuery, Row, Version

T = TypeVar("T")

_SNAPSHOT = "SELECT pg_current_snapshot()::text"

#: Seconds for the database to respond; then the normal route reports what is wrong.
TIMEOUT = 5.0

#: Seconds between two attempts to connect.
RETRY_AFTER = 1.0

#: PostgreSQL's binary format of results.
_BINARY = 1

_Job = tuple[RawQuery, list[bytes], "asyncio.Future[tuple[Version, Row | None]]"]


class PostgresReads:
    """Reads for one event loop; one command is under way at a time."""

    def __init__(self, database: Database) -> None:
        self.version_now: Callable[[], Version] | None = None
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._connection: Any = None  # SQLAlchemy's, which keeps the driver's alive
        self._wire: Any = None  # libpq's connection (psycopg.pq.PGconn)
        self._socket = -1  # its socket, which a lost connection does not name any more
        self._connecting: asyncio.Task[None] | None = None
        self._retry_at = 0.0
        self._jobs: deque[_Job] = deque()
        self._waiting: list[asyncio.Future[Version]] = []
        self._served: list[asyncio.Future[Version]] = []  # waiting for the command under way
        self._job: _Job | None = None
        self._is_busy = False
        self._deadline: asyncio.TimerHandle | None = None

    async def read_version(self) -> Version:
        """Return the version at a moment after this call. Raises StoreUnreachable."""
        await self._connect()
        waiter: asyncio.Future[Version] = self._loop.create_future()
        if not self._is_busy and not self._waiting:
            self._loop.call_soon(self._send_next)  # after all that came in this turn
        self._waiting.append(waiter)
        return await waiter

    async def fetch(self, query: RawQuery, **values: Any) -> tuple[Version, Row | None]:
        """Return the row, and the version it was read at. Raises StoreUnreachable."""
        await self._connect()
        waiter: asyncio.Future[tuple[Version, Row | None]] = self._loop.create_future()
        self._jobs.append((query, query.postgresql_values(values), waiter))
        if not self._is_busy:
            self._send_next()
        return await waiter

    async def run(self, read: Callable[[Connection], T]) -> tuple[Version, T]:
        """Return what a function reads in a thread, and the version of its snapshot."""
        return await asyncio.to_thread(self._run, read)

    def _run(self, read: Callable[[Connection], T]) -> tuple[Version, T]:
        with self._database.read() as db:
            version = str(db.execute(text(_SNAPSHOT)).scalar_one()).encode()
            return version, read(db)

    async def _connect(self) -> None:
        if self._wire is not None:
            return
        if self._connecting is None:
            if time.monotonic() < self._retry_at:
                raise StoreUnreachable("the database is unreachable", "try again")
            self._connecting = self._loop.create_task(self._open())
        await asyncio.shield(self._connecting)
        if self._wire is None:
            raise StoreUnreachable("the database is unreachable", "try again")

    async def _open(self) -> None:
        try:
            connection: Any = await asyncio.to_thread(self._database.open_for_good)
            wire = connection.driver_connection.pgconn
            self._socket = wire.socket
            self._loop.add_reader(self._socket, self._on_readable)
            self._connection, self._wire = connection, wire
        except StoreUnreachable:
            self._retry_at = time.monotonic() + RETRY_AFTER
        finally:
            self._connecting = None

    def _send_next(self) -> None:
        if self._is_busy or self._wire is None or not (self._jobs or self._waiting):
            return
        self._served, self._waiting = self._waiting, []
        self._job = self._jobs.popleft() if self._jobs else None
        self._is_busy = True
        self._deadline = self._loop.call_later(TIMEOUT, self._on_timeout)
        try:
            if self._job is None:
                self._wire.send_query_params(_SNAPSHOT.encode(), None, result_format=_BINARY)
            else:
                query, values, _ = self._job
                self._wire.send_query_params(query.postgresql, values, result_format=_BINARY)
        except self._database.driver_error as error:
            self._fail(str(error))

    def _on_readable(self) -> None:
        try:
            self._wire.consume_input()
            if self._wire.is_busy() or not self._is_busy:
                return
            result = self._wire.get_result()
            while self._wire.get_result() is not None:
                pass  # libpq takes the next command after the last result
        except self._database.driver_error as error:
            self._fail(str(error))
            return
        if result is None or not result.ntuples:
            reason = result.error_message.decode("utf-8", "replace") if result else "no result"
            self._fail(reason)
            return
        self._finish([result.get_value(0, number) for number in range(result.nfields)])

    def _finish(self, values: list[bytes]) -> None:
        assert self._deadline is not None
        self._deadline.cancel()
        version, job, served = bytes(values[0]), self._job, self._served
        self._is_busy, self._job, self._served = False, None, []
        self._send_next()
        for waiter in served:
            if not waiter.done():
                waiter.set_result(version)
        if job is not None and not job[2].done():
            job[2].set_result((version, job[0].decode(list(values[1:]))))

    def _on_timeout(self) -> None:
        self._fail(f"no response within {TIMEOUT:.0f} seconds")

    def _fail(self, reason: str) -> None:
        """Give up the connection; all that wait take the normal route."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._loop.remove_reader(self._socket)
        connection, self._connection, self._wire = self._connection, None, None
        self._loop.run_in_executor(None, connection.invalidate)
        self._retry_at = time.monotonic() + RETRY_AFTER
        jobs = [*self._jobs, *([self._job] if self._job else [])]
        waiters: list[asyncio.Future[Any]] = [*self._waiting, *self._served]
        waiters += [job[2] for job in jobs]
        self._is_busy, self._job, self._waiting, self._served = False, None, [], []
        self._jobs.clear()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_exception(
                    StoreUnreachable(f"the database is unreachable: {reason}", "try again")
                )
