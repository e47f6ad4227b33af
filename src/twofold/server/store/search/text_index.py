"""The full-text index over `words`: FTS5 on SQLite, a column of type tsvector on PostgreSQL.

Both hold tokens that `words` made, and no text: the databases' own parsers differ. Migration 0012
creates them; FTS5 keeps no positions, and has prefix indexes for queries of three and four letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sqlalchemy import Connection, TextClause, text

from twofold.server.store.search.words import Condition, Term

#: What ranks a hit.
_COLUMNS = "listed.project_id, listed.channel_id, listed.key, listed.uploaded_at"


class TextIndex(Protocol):
    """An index of tokens by project id."""

    #: SELECT of id, channel, key and time of projects that match `:query`, at most `:most`.
    select: TextClause

    def put(self, db: Connection, project_id: int, tokens: Sequence[str]) -> None:
        """Set the tokens of a project; none removes it."""

    def clear(self, db: Connection) -> None:
        """Remove everything."""

    def format_query(self, condition: Condition) -> str:
        """Return a condition as the database's query. The tokens hold letters and digits only."""


class SqliteIndex:
    """FTS5 without positions."""

    select = text(
        f"SELECT {_COLUMNS} FROM search_index CROSS JOIN project_listings AS listed "
        "ON listed.project_id = search_index.rowid WHERE search_index MATCH :query LIMIT :most"
    )

    def put(self, db: Connection, project_id: int, tokens: Sequence[str]) -> None:
        """Set the tokens of a project."""
        db.exec_driver_sql("DELETE FROM search_index WHERE rowid = ?", (project_id,))
        if tokens:
            row = (project_id, " ".join(tokens))
            db.exec_driver_sql("INSERT INTO search_index (rowid, tokens) VALUES (?, ?)", row)

    def clear(self, db: Connection) -> None:
        """Remove everything."""
        db.exec_driver_sql("DELETE FROM search_index")

    def format_query(self, condition: Condition) -> str:
        """Return a query of FTS5."""
        return " AND ".join(f"({' OR '.join(map(_quote_fts, terms))})" for terms in condition)


def _quote_fts(term: Term) -> str:
    return f'"{term.token}"{"*" if term.is_prefix else ""}'


class PostgresIndex:
    """A table with a tsvector and a GIN index."""

    select = text(
        f"SELECT {_COLUMNS} FROM search_index JOIN project_listings AS listed "
        "ON listed.project_id = search_index.project_id "
        "WHERE search_index.tokens @@ CAST(:query AS tsquery) LIMIT :most"
    )

    def put(self, db: Connection, project_id: int, tokens: Sequence[str]) -> None:
        """Set the tokens of a project."""
        if not tokens:
            db.execute(_PG_DELETE, {"id": project_id})
            return
        db.execute(_PG_PUT, {"id": project_id, "tokens": list(tokens)})

    def clear(self, db: Connection) -> None:
        """Remove everything."""
        db.exec_driver_sql("DELETE FROM search_index")

    def format_query(self, condition: Condition) -> str:
        """Return a tsquery."""
        return " & ".join(f"({' | '.join(map(_quote_tsquery, terms))})" for terms in condition)


def _quote_tsquery(term: Term) -> str:
    return f"'{term.token}'{':*' if term.is_prefix else ''}"


_PG_DELETE = text("DELETE FROM search_index WHERE project_id = :id")
_PG_PUT = text(
    "INSERT INTO search_index (project_id, tokens) "
    "VALUES (:id, array_to_tsvector(CAST(:tokens AS text[]))) "
    "ON CONFLICT (project_id) DO UPDATE SET tokens = excluded.tokens"
)

_SQLITE, _POSTGRES = SqliteIndex(), PostgresIndex()


def get_text_index(db: Connection) -> TextIndex:
    """Return the index of a connection's database."""
    return _SQLITE if db.dialect.name == "sqlite" else _POSTGRES
