"""What upstreams take back and what was refused; the options of upstreams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.add_column("projects", sa.Column("status_before", sa.Text()))
    options = sa.Column("options", sa.Text(), nullable=False, server_default="{}")
    op.add_column("upstreams", options)
    op.add_column("upstream_pins", sa.Column("yanked", sa.Text()))
    op.add_column("upstream_pins", sa.Column("refused", sa.Text()))
