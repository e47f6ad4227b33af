"""Deliveries of webhooks in the database: the queue, which a kill leaves whole, and the log."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, update

from twofold.server.model import from_text, to_text
from twofold.server.store.outgoing.webhooks import Webhook, to_webhook
from twofold.server.store.tables.inserts import inserted_id
from twofold.server.store.tables.webhooks import deliveries, webhooks


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event on its way to a webhook, or what became of it.

    `next_at` is None once it was delivered or given up; `status` and `error` are of the last
    attempt.
    """

    id: int
    webhook_id: int
    event: str
    created_at: datetime
    next_at: datetime | None
    attempts: int
    payload: str = field(repr=False, default="")
    status: int | None = None
    error: str = ""
    delivered_at: datetime | None = None


def add_delivery(db: Connection, webhook_id: int, event: str, payload: str, at: datetime) -> int:
    """Add a delivery to the queue, due now; returns its id."""
    now = to_text(at)
    values = {"webhook_id": webhook_id, "event": event, "payload": payload, "created_at": now}
    return inserted_id(db.execute(insert(deliveries).values(**values, next_at=now)))


def find_delivery(db: Connection, channel_id: int, delivery_id: int) -> Delivery | None:
    """Return a delivery of one of a channel's webhooks."""
    query = (
        select(deliveries)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(webhooks.c.channel_id == channel_id, deliveries.c.id == delivery_id)
    )
    row = db.execute(query).first()
    return _to_delivery(row) if row else None


def requeue(db: Connection, delivery_id: int, at: datetime) -> None:
    """Make a delivery due now under its own id, with all attempts before it."""
    query = update(deliveries).where(deliveries.c.id == delivery_id)
    db.execute(query.values(next_at=to_text(at), attempts=0, delivered_at=None))


def count_pending(db: Connection, webhook_id: int) -> int:
    """Return how many deliveries of a webhook are in the queue."""
    query = select(func.count()).where(
        deliveries.c.webhook_id == webhook_id, deliveries.c.next_at.is_not(None)
    )
    return int(db.execute(query).scalar_one())


def has_due(db: Connection, at: datetime) -> bool:
    """Whether a delivery is due."""
    query = select(deliveries.c.id).where(deliveries.c.next_at <= to_text(at)).limit(1)
    return db.execute(query).first() is not None


def claim_due(
    db: Connection, at: datetime, until: datetime, limit: int
) -> list[tuple[Delivery, Webhook]]:
    """Claim deliveries that are due, for this process until then; each attempt is counted."""
    now = to_text(at)
    is_free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now)
    query = select(deliveries).where(deliveries.c.next_at <= now, is_free)
    claimed = []
    for row in db.execute(query.order_by(deliveries.c.next_at, deliveries.c.id).limit(limit)).all():
        taken = update(deliveries).where(
            deliveries.c.id == row.id, deliveries.c.next_at <= now, is_free
        )
        values = {"claimed_until": to_text(until), "attempts": deliveries.c.attempts + 1}
        if db.execute(taken.values(**values)).rowcount:
            hook = db.execute(select(webhooks).where(webhooks.c.id == row.webhook_id)).one()
            claimed.append((_to_delivery(row), to_webhook(hook)))
    return claimed


def record_success(db: Connection, delivery_id: int, status: int, at: datetime) -> None:
    """Record that a delivery arrived."""
    _finish(db, delivery_id, status=status, error="", delivered_at=to_text(at), next_at=None)


def record_failure(
    db: Connection, delivery_id: int, status: int | None, error: str, next_at: datetime | None
) -> None:
    """Record a failed attempt, and when the next one is due; None gives it up."""
    due = to_text(next_at) if next_at is not None else None
    _finish(db, delivery_id, status=status, error=error, next_at=due)


def _finish(db: Connection, delivery_id: int, **values: Any) -> None:
    query = update(deliveries).where(deliveries.c.id == delivery_id)
    db.execute(query.values(claimed_until=None, **values))


def delete_finished(db: Connection, webhook_id: int, kept: int) -> None:
    """Delete a webhook's finished deliveries, but for the newest."""
    done = deliveries.c.webhook_id == webhook_id, deliveries.c.next_at.is_(None)
    newest = select(deliveries.c.id).where(*done).order_by(deliveries.c.id.desc())
    last = db.execute(newest.offset(kept).limit(1)).scalar()
    if last is not None:
        db.execute(delete(deliveries).where(*done, deliveries.c.id <= last))


def list_deliveries(db: Connection, channel_id: int, limit: int) -> list[tuple[Delivery, str]]:
    """List a channel's deliveries with the URLs they are for, the newest first."""
    query = (
        select(deliveries, webhooks.c.url)
        .join(webhooks, webhooks.c.id == deliveries.c.webhook_id)
        .where(webhooks.c.channel_id == channel_id)
        .order_by(deliveries.c.id.desc())
        .limit(limit)
    )
    return [(_to_delivery(row), row.url) for row in db.execute(query)]


def _to_delivery(row: Row[Any]) -> Delivery:
    return Delivery(
        row.id,
        row.webhook_id,
        row.event,
        from_text(row.created_at),
        from_text(row.next_at) if row.next_at else None,
        row.attempts,
        row.payload,
        row.status,
        row.error,
        from_text(row.delivered_at) if row.delivered_at else None,
    )
