"""Identities of users at issuers (OpenID Connect) in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from twofold.server.model import to_text
from twofold.server.store.tables.people import identities


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a user is at an issuer."""

    issuer: str
    subject: str
    user_id: int


def find_identity(db: Connection, issuer: str, subject: str) -> Identity | None:
    """Return the identity of this subject."""
    query = select(identities).where(identities.c.issuer == issuer, identities.c.subject == subject)
    row = db.execute(query).first()
    return Identity(row.issuer, row.subject, row.user_id) if row else None


def add_identity(db: Connection, identity: Identity, at: datetime) -> None:
    """Add an identity, which no user has."""
    values = {"issuer": identity.issuer, "subject": identity.subject, "user_id": identity.user_id}
    db.execute(insert(identities).values(**values, created_at=to_text(at)))


def list_identities(db: Connection, user_id: int) -> list[Identity]:
    """List a user's identities."""
    query = select(identities).where(identities.c.user_id == user_id)
    order = identities.c.issuer, identities.c.subject
    return [
        Identity(row.issuer, row.subject, row.user_id) for row in db.execute(query.order_by(*order))
    ]


def remove_identities(db: Connection, user_id: int, issuer: str) -> bool:
    """Remove a user's identities at an issuer; returns False if there was none."""
    query = delete(identities).where(identities.c.user_id == user_id, identities.c.issuer == issuer)
    return bool(db.execute(query).rowcount)
