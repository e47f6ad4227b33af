"""Offered projects by the serial of their last change, and projects by their conda name."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_index("ix_offers_serial", "offers", ["channel_id", "serial"])
    op.create_index("ix_projects_channel_id_conda_name", "projects", ["channel_id", "conda_name"])
