"""The table of what lists and searches show of a project.

The full-text index beside it, `search_index`, is of each database's own kind
(`twofold.server.store.search.text_index`).
"""

from __future__ import annotations

from sqlalchemy import Column, Index, Table, Text

from twofold.server.store.tables.base import make_foreign_key, metadata

project_listings = Table(
    "project_listings",
    metadata,
    make_foreign_key("project_id", "projects.id", primary_key=True),
    make_foreign_key("channel_id", "channels.id", nullable=False),
    Column("key", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("pip_version", Text, nullable=False),  # the newest that pip installs, or ''
    Column("conda_version", Text, nullable=False),  # the newest that conda installs, or ''
    Column("newest", Text, nullable=False),  # what a list shows; '' for a project without files
    Column("uploaded_at", Text, nullable=False),  # of its newest file
    Column("worlds", Text, nullable=False),  # '', pip, conda, or both with a blank between
    Column("platforms", Text, nullable=False),  # subdirs with blanks between; noarch for all
    Column("pythons", Text, nullable=False),  # those that some file is for: 3.11 3.12
    make_foreign_key("source_id", "files.id"),  # the file that describes it
    Index(None, "channel_id", "key"),
    Index(None, "channel_id", "uploaded_at", "project_id"),
)
