"""The tables of webhooks and their deliveries, which are the queue as well as the log."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text

from twofold.server.store.tables.base import make_foreign_key, make_id, metadata

webhooks = Table(
    "webhooks",
    metadata,
    make_id(),
    make_foreign_key("channel_id", "channels.id", nullable=False),
    Column("url", Text, nullable=False),
    Column("events", Text, nullable=False),  # separated by commas
    Column("secret", Text, nullable=False),  # as its receiver has it: payloads are signed with it
    Column("old_secret", Text),  # the one before, which signs too until old_until
    Column("old_until", Text),
    Column("created_at", Text, nullable=False),
    Index(None, "channel_id"),
)

deliveries = Table(
    "deliveries",
    metadata,
    make_id(),
    make_foreign_key("webhook_id", "webhooks.id", nullable=False),
    Column("event", Text, nullable=False),
    Column("payload", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("next_at", Text),  # of the next attempt; None: there is none
    Column("claimed_until", Text),  # while a process sends it
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("status", Integer),  # the last answer's
    Column("error", Text, nullable=False, server_default=""),
    Column("delivered_at", Text),
    Index(None, "webhook_id"),
    Index(None, "next_at"),
)
