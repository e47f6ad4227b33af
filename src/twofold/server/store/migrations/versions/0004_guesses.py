"""Wrong passwords, counted over all servers of a store."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.create_table(
        "guesses",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_guesses"),
    )
    op.create_index("ix_guesses_place_at", "guesses", ["place", "at"])
    op.create_index("ix_guesses_at", "guesses", ["at"])
