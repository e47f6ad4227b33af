"""Invitations to a channel or an organisation in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select

from twofold.server.model import Action, from_text, to_text
from twofold.server.store.tables.inserts import inserted_id
from twofold.server.store.tables.people import invitations


@dataclass(frozen=True, slots=True)
class Invitation:
    """A role in a channel or an organisation, for the one who has its link, once."""

    id: int
    role: Action
    invited_by: str
    created_at: datetime
    expires_at: datetime
    channel_id: int | None = None
    organisation_id: int | None = None


def add_invitation(db: Connection, invitation: Invitation, secret_hash: str) -> int:
    """Add an invitation; returns its id. Those that have expired are deleted."""
    at = to_text(invitation.created_at)
    db.execute(delete(invitations).where(invitations.c.expires_at < at))
    values = {
        "hash": secret_hash,
        "channel_id": invitation.channel_id,
        "organisation_id": invitation.organisation_id,
        "role": invitation.role,
        "invited_by": invitation.invited_by,
        "created_at": at,
        "expires_at": to_text(invitation.expires_at),
    }
    return inserted_id(db.execute(insert(invitations).values(**values)))


def find_invitation(db: Connection, secret_hash: str) -> Invitation | None:
    """Return the invitation with this hash, expired or not."""
    row = db.execute(select(invitations).where(invitations.c.hash == secret_hash)).first()
    return _to_invitation(row) if row else None


def list_invitations(
    db: Connection, channel_id: int | None, organisation_id: int | None
) -> list[Invitation]:
    """List the invitations to a channel, or to an organisation."""
    query = select(invitations).order_by(invitations.c.id)
    if channel_id is not None:
        query = query.where(invitations.c.channel_id == channel_id)
    else:
        query = query.where(invitations.c.organisation_id == organisation_id)
    return [_to_invitation(row) for row in db.execute(query)]


def remove_invitation(db: Connection, invitation_id: int) -> bool:
    """Remove an invitation; returns False if there was none."""
    return bool(db.execute(delete(invitations).where(invitations.c.id == invitation_id)).rowcount)


def _to_invitation(row: Row[Any]) -> Invitation:
    return Invitation(
        row.id,
        Action(row.role),
        row.invited_by,
        from_text(row.created_at),
        from_text(row.expires_at),
        row.channel_id,
        row.organisation_id,
    )
