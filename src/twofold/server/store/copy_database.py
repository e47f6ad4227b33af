"""Copies all rows to another database, for `twofold admin move`.

The target is marked from the first object to the last row, so that no server opens a store of
which a part is missing, and nothing that a target already holds is replaced unasked.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection, func, insert, select, text

from twofold.errors import TwofoldError
from twofold.server.store.database import Database
from twofold.server.store.schema import audit, channels, files, metadata, store_state, users

#: The row of `store_state` that marks the target of an unfinished move; its value is the source.
MOVING = "moving-from"

#: Rows per INSERT.
BATCH = 500


def describe_source(database: Database, objects: str) -> str:
    """Return what names a store in a mark: its two URLs, without a password."""
    return f"{database.url.render_as_string(hide_password=True)} {objects}"


def check_no_move(db: Connection) -> None:
    """Raise TwofoldError when a move to this store is unfinished."""
    source = _find_mark(db)
    if source is not None:
        raise TwofoldError(
            f"this store is the target of an unfinished move from {source}",
            "run that 'twofold admin move' again; it continues where it stopped",
        )


def mark_target(db: Connection, source: str, replace: bool) -> None:
    """Mark the target of a move. Raises TwofoldError when it holds something else.

    A target marked by a move from the same source is continued; `replace` takes any other.
    """
    marked = _find_mark(db)
    if marked == source:
        return
    if not replace:
        _check_empty(db, marked)
    db.execute(store_state.delete().where(store_state.c.key == MOVING))
    db.execute(insert(store_state).values(key=MOVING, value=source))


def _check_empty(db: Connection, marked: str | None) -> None:
    held = [
        f"{count} {table.name}"
        for table in (users, channels, files, audit)
        if (count := db.execute(select(func.count()).select_from(table)).scalar_one())
    ]
    if not held and marked is None:
        return
    what = f"holds a registry ({', '.join(held)})" if held else "holds an unfinished move"
    raise TwofoldError(
        f"the target {what}{f' from {marked}' if marked else ''}",
        "name an empty database, or pass --replace to delete what it holds",
    )


def _find_mark(db: Connection) -> str | None:
    query = select(store_state.c.value).where(store_state.c.key == MOVING)
    found = db.execute(query).scalar()
    return str(found) if found is not None else None


def copy_tables(
    source: Connection, target: Connection, mark: str, report: Callable[[str], None]
) -> int:
    """Replace the target's rows, its mark included, with the source's; returns their number.

    Runs in the target's transaction: other readers see all of it or nothing. Raises TwofoldError
    when the target is not marked by this move any more.
    """
    if _find_mark(target) != mark:
        raise TwofoldError("the target was taken by something else during the move", "begin again")
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
    from twofold.server.store.search.listings import reset

    reset(target)  # the full-text index is of each database's own kind
    if target.dialect.name == "postgresql":
        _set_sequences(target)
    return total


def _set_sequences(target: Connection) -> None:
    """Set PostgreSQL's sequences to continue after the copied ids."""
    for table in metadata.sorted_tables:
        if "id" in table.c and table.c.id.autoincrement is True:
            highest = target.execute(select(func.max(table.c.id))).scalar() or 0
            name = func.pg_get_serial_sequence(table.name, "id")
            target.execute(select(func.setval(name, highest + 1, False)))
