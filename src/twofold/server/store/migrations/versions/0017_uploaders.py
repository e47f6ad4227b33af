"""What a file was uploaded with, and an index of what somebody uploaded."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.add_column("files", sa.Column("uploaded_with", sa.Text(), nullable=True))
    op.create_index("ix_files_uploader_id_project_id", "files", ["uploader_id", "project_id"])
