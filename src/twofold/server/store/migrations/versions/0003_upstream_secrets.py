"""Upstreams that ask for a login, pages asked for again only when they have changed, and an index
of the wheels without a twin.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("upstreams", sa.Column("secret", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "upstream_pages", sa.Column("validator", sa.Text(), nullable=False, server_default="")
    )
    remarked = sa.text("remark IS NOT NULL")
    op.create_index(
        "ix_files_remark",
        "files",
        ["channel_id"],
        sqlite_where=remarked,
        postgresql_where=remarked,
    )
