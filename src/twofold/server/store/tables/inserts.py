"""INSERT, also with ON CONFLICT, which both databases have and SQLAlchemy has by dialect.

Statements are built once: building one costs as much as its run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, CursorResult, Table


def inserted_id(done: CursorResult[Any]) -> int:
    """Return the id assigned by an INSERT."""
    assert done.inserted_primary_key is not None
    return int(done.inserted_primary_key[0])


def make_insert(dialect: str, table: Table) -> Any:
    """Return an INSERT to which a conflict clause can be added."""
    if dialect == "sqlite":
        from sqlalchemy.dialects.sqlite import insert

        return insert(table)
    from sqlalchemy.dialects.postgresql import insert as insert_in_postgresql

    return insert_in_postgresql(table)


def upsert(
    db: Connection, table: Table, keys: Mapping[str, Any], values: Mapping[str, Any]
) -> None:
    """Insert a row, or set `values` of the row with these keys."""
    db.execute(_make_upsert(db.dialect.name, table, tuple(keys), tuple(values)), {**keys, **values})


def insert_missing(db: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert the rows that do not exist yet."""
    if rows:
        db.execute(_make_insert_missing(db.dialect.name, table), rows)


@cache
def _make_upsert(dialect: str, table: Table, keys: Sequence[str], names: Sequence[str]) -> Any:
    new = make_insert(dialect, table)
    values = {name: new.excluded[name] for name in names}
    return new.on_conflict_do_update(index_elements=list(keys), set_=values)


@cache
def _make_insert_missing(dialect: str, table: Table) -> Any:
    return make_insert(dialect, table).on_conflict_do_nothing()
