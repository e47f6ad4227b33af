"""Sessions of browsers in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from twofold.server.model import Session, from_text, to_text
from twofold.server.store.tables.inserts import inserted_id
from twofold.server.store.tables.people import sessions


def add_session(db: Connection, session: Session, session_hash: str) -> int:
    """Add a session; returns its id. Sessions that have expired are deleted."""
    db.execute(delete(sessions).where(sessions.c.expires_at < to_text(session.created_at)))
    values = {
        "user_id": session.user_id,
        "token_id": session.token_id,
        "hash": session_hash,
        "method": session.method,
        "agent": session.agent,
        "address": session.address,
        "created_at": to_text(session.created_at),
        "used_at": to_text(session.used_at),
        "expires_at": to_text(session.expires_at),
    }
    return inserted_id(db.execute(insert(sessions).values(**values)))


def find_session(db: Connection, session_hash: str) -> Session | None:
    """Return the session with this hash, expired or not."""
    row = db.execute(select(sessions).where(sessions.c.hash == session_hash)).first()
    return _to_session(row) if row else None


def list_sessions(db: Connection, user_id: int) -> list[Session]:
    """List a user's sessions, the newest first."""
    query = select(sessions).where(sessions.c.user_id == user_id).order_by(sessions.c.id.desc())
    return [_to_session(row) for row in db.execute(query)]


def touch_session(db: Connection, session_id: int, at: datetime) -> None:
    """Note that a session was used."""
    db.execute(update(sessions).where(sessions.c.id == session_id).values(used_at=to_text(at)))


def remove_session(db: Connection, session_id: int) -> bool:
    """Remove a session; returns False if there was none."""
    return bool(db.execute(delete(sessions).where(sessions.c.id == session_id)).rowcount)


def remove_sessions(db: Connection, user_id: int, kept: int | None = None) -> int:
    """Remove a user's sessions, but for one; returns how many."""
    query = delete(sessions).where(sessions.c.user_id == user_id)
    if kept is not None:
        query = query.where(sessions.c.id != kept)
    return int(db.execute(query).rowcount)


def _to_session(row: Row[Any]) -> Session:
    return Session(
        row.id,
        row.user_id,
        row.token_id,
        row.method,
        row.agent,
        row.address,
        from_text(row.created_at),
        from_text(row.used_at),
        from_text(row.expires_at),
    )
