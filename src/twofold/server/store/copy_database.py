"""Copy every row of one database into another one."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, insert, select, text

from twofold.server.store.schema import metadata

#: Rows sent at once.
BATCH = 500


def copy_tables(source: Connection, target: Connection, report: Callable[[str], None]) -> int:
    """Replace what the target holds by what the source holds; returns the number of rows.

    Runs in the target's transaction: another reader sees all of it or nothing.
    """
    if target.dialect.name == "sqlite":
        target.execute(text("PRAGMA defer_foreign_keys=ON"))
    for table in reversed(metadata.sorted_tables):
        target.execute(table.delete())
    total = 0
    for table in metadata.sorted_tables:
        order = list(table.primary_key.columns)
        query = select(table).order_by(*order).execution_options(yield_per=BATCH)
        count = 0
        for rows in source.execute(query).mappings().partitions(BATCH):
            target.execute(insert(table), [dict(row) for row in rows])
            count += len(rows)
        report(f"{table.name}: {count} rows")
        total += count
    if target.dialect.name == "postgresql":
        _set_sequences(target)
    return total


def _set_sequences(target: Connection) -> None:
    """The next ids come after those that were copied."""
    for table in metadata.sorted_tables:
        if "id" in table.c and table.c.id.autoincrement is True:
            highest = target.execute(select(func.max(table.c.id))).scalar() or 0
            name = func.pg_get_serial_sequence(table.name, "id")
            target.execute(select(func.setval(name, highest + 1, False)))
