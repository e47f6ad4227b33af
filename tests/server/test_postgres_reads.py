"""Reads of the event loop when PostgreSQL ends their connection."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from sqlalchemy import text

from tests.servers.stores import PostgreSQL
from twofold.errors import StoreUnreachable
from twofold.server.store import postgres_reads
from twofold.server.store.database import Database
from twofold.server.store.postgres_reads import PostgresReads


@pytest.mark.parametrize("waits", [False, True], ids=["idle", "while a request waits"])
def test_readers_come_back_after_their_connection_was_ended(
    postgresql: PostgreSQL, waits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_reads, "RETRY_AFTER", 0.0)
    database = Database(postgresql.new_database())

    def end_others() -> None:
        with database.write() as db:
            db.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )

    async def read() -> None:
        reads = PostgresReads(database)
        assert await reads.read_version() == await reads.read_version()
        ending = asyncio.get_running_loop().run_in_executor(None, end_others)
        while waits and not ending.done():
            with suppress(StoreUnreachable):  # the normal route responds to that request
                await reads.read_version()
        await ending
        with suppress(StoreUnreachable):
            await reads.read_version()
        assert await reads.read_version()

    asyncio.run(asyncio.wait_for(read(), 30))
    database.close()
