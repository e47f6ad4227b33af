"""The lists of users and channels, as SQL of both databases: one statement each, no business rules.

A local store of this version is read by sqlite3 alone: importing SQLAlchemy takes longer than all
the rest of such a command. Every other store is read through `Database`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.server.store.database import Database

    Row = tuple[Any, ...]

#: -> name, kind, time of its end or None.
USERS = "SELECT name, kind, disabled_at FROM users ORDER BY name"

#: -> id, name, whether it is public, bytes.
CHANNELS = (
    "SELECT id, name, public, (SELECT coalesce(sum(size), 0) FROM files"
    " WHERE files.channel_id = channels.id AND deleted_at IS NULL) FROM channels ORDER BY name"
)

#: -> channel id, user, role.
ROLES = (
    "SELECT roles.channel_id, users.name, roles.role"
    " FROM roles JOIN users ON roles.user_id = users.id ORDER BY users.name"
)

#: Seconds for which a locked store is waited for.
PATIENCE = 30.0


def read_local(path: str, *queries: str) -> list[list[Row]] | None:
    """Return the rows of each query, all of one moment, from an SQLite store.

    None when the store must be opened through `Database`, which migrates it or reports what is
    wrong: another schema, the target of an unfinished move, or an error of SQLite.
    """
    import sqlite3

    from twofold.server.store.revisions import list_revisions

    try:
        connection = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
        try:
            connection.execute("BEGIN")
            revision = connection.execute("SELECT version_num FROM alembic_version").fetchone()
            if revision != (list_revisions()[-1],):
                return None
            if connection.execute("SELECT 1 FROM store_state WHERE key = 'moving-from'").fetchone():
                return None
            return [connection.execute(query).fetchall() for query in queries]
        finally:
            connection.close()
    except sqlite3.Error:
        return None  # `Database` meets it again, and reports it


def read(database: Database, *queries: str) -> list[list[Row]]:
    """Return the rows of each query, all of one moment."""
    from sqlalchemy import text

    with database.read() as db:
        return [[tuple(row) for row in db.execute(text(query))] for query in queries]
