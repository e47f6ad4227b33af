"""Webhooks of channels in the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update

from twofold.server.model import from_text, to_text
from twofold.server.store.tables.inserts import inserted_id
from twofold.server.store.tables.webhooks import deliveries, webhooks


@dataclass(frozen=True, slots=True)
class Webhook:
    """A URL that gets the events of a channel; `old_secret` signs too until `old_until`."""

    id: int
    channel_id: int
    url: str
    events: tuple[str, ...]
    created_at: datetime
    secret: str = field(repr=False, default="")
    old_secret: str | None = field(repr=False, default=None)
    old_until: datetime | None = None


def add_webhook(db: Connection, webhook: Webhook) -> int:
    """Add a webhook; returns its id."""
    values = {
        "channel_id": webhook.channel_id,
        "url": webhook.url,
        "events": ",".join(webhook.events),
        "secret": webhook.secret,
        "created_at": to_text(webhook.created_at),
    }
    return inserted_id(db.execute(insert(webhooks).values(**values)))


def list_webhooks(db: Connection, channel_id: int) -> list[Webhook]:
    """List the webhooks of a channel, the oldest first."""
    query = select(webhooks).where(webhooks.c.channel_id == channel_id).order_by(webhooks.c.id)
    return [to_webhook(row) for row in db.execute(query)]


def find_webhook(db: Connection, channel_id: int, webhook_id: int) -> Webhook | None:
    """Return a webhook of a channel."""
    return next((one for one in list_webhooks(db, channel_id) if one.id == webhook_id), None)


def set_secret(db: Connection, webhook: Webhook, secret: str, old_until: datetime) -> None:
    """Set a webhook's secret; the one before signs too until then."""
    values = {"secret": secret, "old_secret": webhook.secret, "old_until": to_text(old_until)}
    db.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(**values))


def set_target(db: Connection, webhook_id: int, url: str, events: Sequence[str]) -> None:
    """Set where a webhook's deliveries go, and for which events there are any."""
    values = {"url": url, "events": ",".join(events)}
    db.execute(update(webhooks).where(webhooks.c.id == webhook_id).values(**values))


def remove_webhook(db: Connection, webhook_id: int) -> None:
    """Remove a webhook and its deliveries."""
    db.execute(delete(deliveries).where(deliveries.c.webhook_id == webhook_id))
    db.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


def to_webhook(row: Row[Any]) -> Webhook:
    """Return the webhook of a row of its table."""
    return Webhook(
        row.id,
        row.channel_id,
        row.url,
        tuple(row.events.split(",")),
        from_text(row.created_at),
        row.secret,
        row.old_secret,
        from_text(row.old_until) if row.old_until else None,
    )
