"""Whether the operator allowed an issuer with an internal address; those before were allowed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.add_column(
        "publishers",
        sa.Column("internal", sa.Boolean(), nullable=False, server_default="1"),
    )
