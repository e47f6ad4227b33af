"""Webhooks, and the queue and log of their deliveries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", _NUMBER, nullable=False, autoincrement=True),
        sa.Column("channel_id", _NUMBER, nullable=False),
        _text("url"),
        _text("events"),
        _text("secret"),
        _text("old_secret", nullable=True),
        _text("old_until", nullable=True),
        _text("created_at"),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_webhooks_channel_id_channels"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_channel_id", "webhooks", ["channel_id"])
    op.create_table(
        "deliveries",
        sa.Column("id", _NUMBER, nullable=False, autoincrement=True),
        sa.Column("webhook_id", _NUMBER, nullable=False),
        _text("event"),
        _text("payload"),
        _text("created_at"),
        _text("next_at", nullable=True),
        _text("claimed_until", nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        _text("delivered_at", nullable=True),
        sa.ForeignKeyConstraint(
            ["webhook_id"], ["webhooks.id"], name="fk_deliveries_webhook_id_webhooks"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
    )
    op.create_index("ix_deliveries_webhook_id", "deliveries", ["webhook_id"])
    op.create_index("ix_deliveries_next_at", "deliveries", ["next_at"])
