"""Shards by their hash: a body that no list names is found without a walk through the channel."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.create_index("ix_shards_channel_id_sha256", "shards", ["channel_id", "sha256"])
