"""Trusted publishers and used identity tokens in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from twofold.server.model import to_text
from twofold.server.store.database import inserted_id
from twofold.server.store.schema import publishers, used_assertions


@dataclass(frozen=True, slots=True)
class TrustedPublisher:
    """A trusted publisher of a project: issuer, and claim -> required value."""

    id: int
    channel_id: int
    project: str
    issuer: str
    claims: dict[str, str]


def add_publisher(db: Connection, publisher: TrustedPublisher, at: datetime) -> TrustedPublisher:
    """Add a trusted publisher; returns it with its id."""
    values = {
        "channel_id": publisher.channel_id,
        "project": publisher.project,
        "issuer": publisher.issuer,
        "claims": json.dumps(publisher.claims, sort_keys=True),
        "created_at": to_text(at),
    }
    added = inserted_id(db.execute(insert(publishers).values(**values)))
    return replace(publisher, id=added)


def list_publishers(db: Connection, channel_id: int | None = None) -> list[TrustedPublisher]:
    """List the trusted publishers of a channel, or all."""
    query = select(publishers).order_by(publishers.c.id)
    if channel_id is not None:
        query = query.where(publishers.c.channel_id == channel_id)
    return [_to_publisher(row) for row in db.execute(query)]


def remove_publisher(db: Connection, publisher_id: int) -> bool:
    """Remove a trusted publisher; returns False if there was none."""
    return bool(db.execute(delete(publishers).where(publishers.c.id == publisher_id)).rowcount)


def record_first_use(db: Connection, issuer: str, jti: str, until: datetime, at: datetime) -> bool:
    """Record a use of an identity token; returns False if it was used before."""
    db.execute(delete(used_assertions).where(used_assertions.c.expires_at < to_text(at)))
    values = {"issuer": issuer, "jti": jti, "expires_at": to_text(until)}
    try:
        with db.begin_nested():
            db.execute(insert(used_assertions).values(**values))
    except IntegrityError:
        return False
    return True


def _to_publisher(row: Row[Any]) -> TrustedPublisher:
    return TrustedPublisher(row.id, row.channel_id, row.project, row.issuer, json.loads(row.claims))
