"""Downloads, counted by day, version, client and world."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "download_days",
        sa.Column("project_id", _ID, nullable=False),
        *_texts("day", "version", "world", "client"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_download_days_project_id_projects"
        ),
        sa.PrimaryKeyConstraint(
            "project_id", "day", "version", "world", "client", name="pk_download_days"
        ),
    )
    op.create_index("ix_download_days_day", "download_days", ["day"])
    op.create_table(
        "channel_download_days",
        sa.Column("channel_id", _ID, nullable=False),
        *_texts("day", "world", "client"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_channel_download_days_channel_id_channels"
        ),
        sa.PrimaryKeyConstraint(
            "channel_id", "day", "world", "client", name="pk_channel_download_days"
        ),
    )
    op.create_table(
        "download_totals",
        sa.Column("file_id", _ID, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["file_id"], ["files.id"], name="fk_download_totals_file_id_files"),
        sa.PrimaryKeyConstraint("file_id", name="pk_download_totals"),
    )
