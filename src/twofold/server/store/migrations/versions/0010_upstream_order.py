"""Several upstreams of a kind, in an order; the projects that are offered by metadata alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("upstreams") as table:
        table.add_column(sa.Column("name", sa.Text(), nullable=False, server_default="default"))
        table.add_column(sa.Column("position", sa.Integer(), nullable=False, server_default="0"))
        table.drop_constraint("pk_upstreams", type_="primary")
        table.create_primary_key("pk_upstreams", ["channel_id", "kind", "name"])
    with op.batch_alter_table("upstream_pages") as table:
        table.add_column(sa.Column("upstream", sa.Text(), nullable=False, server_default="default"))
        table.drop_constraint("pk_upstream_pages", type_="primary")
        table.create_primary_key("pk_upstream_pages", ["channel_id", "kind", "upstream", "key"])
    op.add_column(
        "upstream_pins",
        sa.Column("upstream", sa.Text(), nullable=False, server_default="default"),
    )
    op.create_table(
        "offers",
        sa.Column("channel_id", _ID, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("requirement", sa.Text(), nullable=False),
        sa.Column("added_at", sa.Text(), nullable=False),
        sa.Column("checked_at", sa.Text(), nullable=True),
        sa.Column("serial", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("missing", sa.Text(), nullable=False, server_default=""),
        sa.Column("shards", sa.Text(), nullable=False, server_default="{}"),
        sa.Column("wheels", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_offers_channel_id_channels"
        ),
        sa.PrimaryKeyConstraint("channel_id", "key", name="pk_offers"),
    )
