"""The tables of upstreams: what they are, what they sent, and what is offered from them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from twofold.server.store.tables.base import make_foreign_key, metadata

upstreams = Table(
    "upstreams",
    metadata,
    make_foreign_key("channel_id", "channels.id", primary_key=True),
    Column("kind", Text, primary_key=True),  # pypi | conda
    Column("name", Text, primary_key=True, server_default="default"),
    Column("position", Integer, nullable=False, server_default="0"),  # the first is asked first
    Column("url", Text, nullable=False),
    Column("internal", Boolean, nullable=False),  # the operator allowed an internal URL
    Column("prefixes", Text, nullable=False),  # JSON: names never requested from it
    Column("secret", Text, nullable=False, server_default=""),  # its credentials; never shown
    Column("created_at", Text, nullable=False),
    Column("options", Text, nullable=False, server_default="{}"),  # JSON: the rest
)

upstream_pages = Table(
    "upstream_pages",
    metadata,
    make_foreign_key("channel_id", "channels.id", primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("upstream", Text, primary_key=True, server_default="default"),  # its name
    Column("key", Text, primary_key=True),  # a project's key, or a subdir
    Column("body", LargeBinary, nullable=False),  # its last response, as a list of files (JSON)
    Column("digest", Text, nullable=False),
    Column("checked_at", Text, nullable=False),
    Column("validator", Text, nullable=False, server_default=""),  # its ETag or Last-Modified
)

upstream_pins = Table(
    "upstream_pins",
    metadata,
    make_foreign_key("channel_id", "channels.id", primary_key=True),
    Column("kind", Text, nullable=False),
    Column("subdir", Text, primary_key=True),
    Column("filename", Text, primary_key=True),
    Column("key", Text, nullable=False),  # the page that lists it
    Column("sha256", Text, nullable=False),  # as first seen; never changes
    Column("url", Text, nullable=False),
    Column("wanted", Boolean, nullable=False),  # it was requested, so our copy came from there
    Column("seen_at", Text, nullable=False),
    Column("yanked", Text),  # the yank last taken over from the upstream
    Column("upstream", Text, nullable=False, server_default="default"),  # the name of its upstream
    Column("refused", Text),  # JSON: why its content was refused, and by which version
    Index("ix_upstream_pins_channel_id", "channel_id", "key"),  # as its migration names it
)

offers = Table(
    "offers",
    metadata,
    make_foreign_key("channel_id", "channels.id", primary_key=True),
    Column("key", Text, primary_key=True),  # the project's
    Column("requirement", Text, nullable=False),  # as it was asked for
    Column("added_at", Text, nullable=False),
    Column("checked_at", Text),  # when its wheels were read last
    Column("serial", BigInteger, nullable=False, server_default="0"),  # of the last change
    Column("missing", Text, nullable=False, server_default=""),  # why it cannot be offered
    Column("shards", Text, nullable=False, server_default="{}"),  # JSON: subdir -> name, SHA-256
    Column("wheels", LargeBinary),  # its newest wheels with their metadata (JSON, zlib)
    Index("ix_offers_serial", "channel_id", "serial"),
)
