"""Upstreams: what a channel proxies, its cached responses, and the hashes first seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _channel(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.Column("channel_id", _ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name=op.f(f"fk_{table}_channel_id_channels")
        ),
    ]


def upgrade() -> None:
    op.create_table(
        "upstreams",
        *_channel("upstreams"),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("internal", sa.Boolean(), nullable=False),
        sa.Column("prefixes", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "kind", name=op.f("pk_upstreams")),
    )
    op.create_table(
        "upstream_pages",
        *_channel("upstream_pages"),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "kind", "key", name=op.f("pk_upstream_pages")),
    )
    op.create_table(
        "upstream_pins",
        *_channel("upstream_pins"),
        sa.Column("subdir", sa.Text(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel_id", "subdir", "filename", name=op.f("pk_upstream_pins")),
    )
    op.create_index(op.f("ix_upstream_pins_channel_id"), "upstream_pins", ["channel_id", "key"])
