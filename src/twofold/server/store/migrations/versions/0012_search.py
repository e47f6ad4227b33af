"""Rows and a full-text index for lists and searches; about.json of conda packages.

They are filled when the store is opened (`registry.search_index`).
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.add_column("files", sa.Column("about", sa.Text(), nullable=True))
    op.create_table(
        "project_listings",
        sa.Column("project_id", number, nullable=False),
        sa.Column("channel_id", number, nullable=False),
        *(
            sa.Column(name, sa.Text(), nullable=False)
            for name in (
                "key",
                "name",
                "summary",
                "pip_version",
                "conda_version",
                "newest",
                "uploaded_at",
                "worlds",
                "platforms",
                "pythons",
            )
        ),
        sa.Column("source_id", number, nullable=True),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name="fk_project_listings_project_id_projects"
        ),
        sa.ForeignKeyConstraint(
            ["channel_id"], ["channels.id"], name="fk_project_listings_channel_id_channels"
        ),
        sa.ForeignKeyConstraint(
            ["source_id"], ["files.id"], name="fk_project_listings_source_id_files"
        ),
        sa.PrimaryKeyConstraint("project_id", name="pk_project_listings"),
    )
    op.create_index("ix_project_listings_channel_id_key", "project_listings", ["channel_id", "key"])
    op.create_index(
        "ix_project_listings_channel_id_uploaded_at_project_id",
        "project_listings",
        ["channel_id", "uploaded_at", "project_id"],
    )
    contents = ["project_id", "kind", "version", "subdir", "build", "deleted_at"]
    op.create_index("ix_files_contents", "files", contents)
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE search_index USING fts5(tokens, detail=none, prefix='5 6', "
            "tokenize=\"ascii tokenchars ':'\")"
        )
        return
    op.execute(
        "CREATE TABLE search_index (project_id BIGINT PRIMARY KEY, tokens tsvector NOT NULL)"
    )
    op.execute("CREATE INDEX ix_search_index_tokens ON search_index USING gin (tokens)")
