"""The tables of what was downloaded: by whom is not in them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from twofold.server.store.tables.base import make_foreign_key, metadata

#: A project's downloads of one day; days beyond the retention are deleted.
download_days = Table(
    "download_days",
    metadata,
    make_foreign_key("project_id", "projects.id", primary_key=True),
    Column("day", Text, primary_key=True),  # 2026-11-29, UTC
    Column("version", Text, primary_key=True),
    Column("world", Text, primary_key=True),  # pip | conda: the side of the file
    Column("client", Text, primary_key=True),  # pip, uv, conda, ..., other
    Column("count", BigInteger, nullable=False),
    Index(None, "day"),
)

#: The same for a whole channel, so that no page adds up its projects.
channel_download_days = Table(
    "channel_download_days",
    metadata,
    make_foreign_key("channel_id", "channels.id", primary_key=True),
    Column("day", Text, primary_key=True),
    Column("world", Text, primary_key=True),
    Column("client", Text, primary_key=True),
    Column("count", BigInteger, nullable=False),
)

#: All downloads of a file.
download_totals = Table(
    "download_totals",
    metadata,
    make_foreign_key("file_id", "files.id", primary_key=True),
    Column("count", BigInteger, nullable=False),
)
