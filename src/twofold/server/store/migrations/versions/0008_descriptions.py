"""Descriptions, rendered once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "descriptions",
        sa.Column("project_id", number, nullable=False),
        sa.Column("metadata_sha256", sa.Text(), nullable=False),
        sa.Column("html", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_descriptions_project_id_projects"
        ),
        sa.PrimaryKeyConstraint("project_id", "metadata_sha256", name="pk_descriptions"),
    )
