"""The tables, for SQLite and PostgreSQL. Times are UTC, as ISO 8601 text with microseconds.

Such text sorts by time, and both databases, all drivers and all readers agree on it.
`files` keeps the rows of deleted files: a filename is never reused for different content.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)

from twofold.server.store.tables.base import make_foreign_key as _foreign_key
from twofold.server.store.tables.base import make_id as _id
from twofold.server.store.tables.base import metadata as metadata
from twofold.server.store.tables.numbers import channel_download_days as channel_download_days
from twofold.server.store.tables.numbers import download_days as download_days
from twofold.server.store.tables.numbers import download_totals as download_totals
from twofold.server.store.tables.people import identities as identities
from twofold.server.store.tables.people import invitations as invitations
from twofold.server.store.tables.people import recovery_codes as recovery_codes
from twofold.server.store.tables.people import second_factors as second_factors
from twofold.server.store.tables.people import sessions as sessions
from twofold.server.store.tables.search import project_listings as project_listings
from twofold.server.store.tables.upstreams import offers as offers
from twofold.server.store.tables.upstreams import upstream_pages as upstream_pages
from twofold.server.store.tables.upstreams import upstream_pins as upstream_pins
from twofold.server.store.tables.upstreams import upstreams as upstreams
from twofold.server.store.tables.webhooks import deliveries as deliveries
from twofold.server.store.tables.webhooks import webhooks as webhooks

users = Table(
    "users",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False, server_default="user"),  # user | organisation
    Column("password", Text),  # argon2; None: no login with a password
    Column("home", Text),  # the channel that the Anaconda.org API shows under this name
    Column("created_at", Text, nullable=False),
    Column("disabled_at", Text),
)

members = Table(
    "members",
    metadata,
    _foreign_key("organisation_id", "users.id", primary_key=True),
    _foreign_key("user_id", "users.id", primary_key=True),
    Column("role", Text, nullable=False),
)

channels = Table(
    "channels",
    metadata,
    _id(),
    Column("name", Text, nullable=False, unique=True),
    _foreign_key("owner_id", "users.id", nullable=False),
    Column("public", Boolean, nullable=False),
    Column("created_at", Text, nullable=False),
    # Counts changes; a writing transaction increments it first, which serializes the writers.
    Column("serial", BigInteger, nullable=False, server_default="0"),
    Column("names_serial", BigInteger, nullable=False, server_default="0"),
    Column("settings", Text, nullable=False, server_default="{}"),
)

roles = Table(
    "roles",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    _foreign_key("user_id", "users.id", primary_key=True),
    Column("role", Text, nullable=False),  # read | upload | admin
)

tokens = Table(
    "tokens",
    metadata,
    _id(),
    _foreign_key("user_id", "users.id", nullable=False),
    Column("hash", Text, nullable=False, unique=True),  # SHA-256 of the token
    Column("shown", Text, nullable=False),  # its first characters, to recognise it
    Column("name", Text, nullable=False),
    Column("actions", Text, nullable=False),  # comma separated: read, upload, admin
    Column("channel", Text),  # None: every channel its user has a role in
    Column("project", Text),  # None: every project
    Column("application", Text, nullable=False, server_default="{}"),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text),
    Column("revoked_at", Text),
    Column("used_at", Text),
    Index(None, "user_id"),
)

projects = Table(
    "projects",
    metadata,
    _id(),
    _foreign_key("channel_id", "channels.id", nullable=False),
    Column("key", Text, nullable=False),  # normalised (PEP 503)
    Column("name", Text, nullable=False),  # as its author wrote it
    Column("lookalike", Text, nullable=False),  # skeleton of visually confusable names
    Column("conda_name", Text),  # the name of its conda package
    Column("status", Text, nullable=False, server_default="active"),  # PEP 792
    Column("status_reason", Text),
    Column("summary", Text, nullable=False, server_default=""),
    Column("attributes", Text, nullable=False, server_default="{}"),  # Anaconda.org public_attrs
    Column("created_at", Text, nullable=False),
    Column("serial", BigInteger, nullable=False, server_default="0"),
    Column("status_before", Text),  # its own status before an upstream's quarantine
    UniqueConstraint("channel_id", "key"),
    Index(None, "channel_id", "lookalike"),
    Index(None, "channel_id", "conda_name"),
)

releases = Table(
    "releases",
    metadata,
    _foreign_key("project_id", "projects.id", primary_key=True),
    Column("version", Text, primary_key=True),
    Column("attributes", Text, nullable=False, server_default="{}"),
)

descriptions = Table(
    "descriptions",
    metadata,
    _foreign_key("project_id", "projects.id", primary_key=True),
    Column("metadata_sha256", Text, primary_key=True),
    Column("html", Text),  # None: it cannot be rendered, and is shown as text
)

files = Table(
    "files",
    metadata,
    _id(),
    _foreign_key("channel_id", "channels.id", nullable=False),
    _foreign_key("project_id", "projects.id", nullable=False),
    Column("subdir", Text, nullable=False),  # '' on the PyPI side
    Column("filename", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("build", Text, nullable=False, server_default=""),
    Column("build_number", Integer, nullable=False, server_default="0"),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("md5", Text, nullable=False),
    Column("requires_python", Text),
    Column("tags", Text, nullable=False, server_default="[]"),
    Column("depends", Text, nullable=False, server_default="[]"),
    Column("metadata", LargeBinary, nullable=False),
    Column("record", Text),  # of a conda package: its record in repodata.json
    Column("run_exports", Text),
    Column("uploaded_at", Text, nullable=False),
    _foreign_key("uploader_id", "users.id"),
    Column("yanked", Text),
    Column("deleted_at", Text),
    _foreign_key("made_from", "files.id"),  # the wheel this package was converted from
    Column("remark", Text),  # why a wheel has no conda package
    Column("provenance", Text),  # PEP 740
    Column("uploaded_with", Text),  # JSON: see auth.upload_credentials
    Column("about", Text),  # JSON: about.json of an author's conda package, names in a wheel
    UniqueConstraint("channel_id", "subdir", "filename"),
    Index(None, "project_id"),
    Index(None, "channel_id", "subdir", "name"),
    Index(None, "sha256"),
    Index(None, "made_from"),
    Index(None, "uploader_id", "project_id"),
    Index("ix_files_contents", "project_id", "kind", "version", "subdir", "build", "deleted_at"),
)

Index(
    "ix_files_remark",
    files.c.channel_id,
    sqlite_where=files.c.remark.is_not(None),
    postgresql_where=files.c.remark.is_not(None),
)

labels = Table(
    "labels",
    metadata,
    _foreign_key("channel_id", "channels.id", nullable=False),
    _foreign_key("file_id", "files.id", primary_key=True),
    Column("label", Text, primary_key=True),
    Index(None, "channel_id", "label"),
)

channel_labels = Table(
    "channel_labels",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    Column("label", Text, primary_key=True),
    Column("locked", Boolean, nullable=False, server_default="0"),
    Column("changed_serial", BigInteger, nullable=False, server_default="0"),
)

pages = Table(
    "pages",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    Column("key", Text, primary_key=True),
    Column("serial", BigInteger, nullable=False),
    Column("etag", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
)

shards = Table(
    "shards",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    Column("label", Text, primary_key=True),
    Column("subdir", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("serial", BigInteger, nullable=False),
    Index(None, "channel_id", "label", "subdir", "serial"),
    Index(None, "channel_id", "sha256"),
)

shard_bodies = Table(
    "shard_bodies",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    Column("sha256", Text, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Text, nullable=False),
)

blobs = Table(
    "blobs",
    metadata,
    Column("sha256", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Text, nullable=False),
)

stages = Table(
    "stages",
    metadata,
    Column("id", Text, primary_key=True),
    _foreign_key("channel_id", "channels.id", nullable=False),
    _foreign_key("user_id", "users.id", nullable=False),
    Column("basename", Text, nullable=False),
    Column("attributes", Text, nullable=False),
    Column("created_at", Text, nullable=False),
)

publishers = Table(
    "publishers",
    metadata,
    _id(),
    _foreign_key("channel_id", "channels.id", nullable=False),
    Column("project", Text, nullable=False),
    Column("issuer", Text, nullable=False),
    Column("claims", Text, nullable=False),  # JSON: claim -> required value
    Column("created_at", Text, nullable=False),
    Column("internal", Boolean, nullable=False, server_default="1"),  # as of upstreams
)

used_assertions = Table(
    "used_assertions",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("jti", Text, primary_key=True),
    Column("expires_at", Text, nullable=False),
)

prefixes = Table(
    "prefixes",
    metadata,
    _foreign_key("channel_id", "channels.id", primary_key=True),
    Column("prefix", Text, primary_key=True),
    _foreign_key("owner_id", "users.id", nullable=False),
)

audit = Table(
    "audit",
    metadata,
    _id(),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("channel", Text, nullable=False, server_default=""),
    Column("subject", Text, nullable=False, server_default=""),
    Column("detail", Text, nullable=False, server_default="{}"),
)

guesses = Table(
    "guesses",
    metadata,
    _id(),
    Column("place", Text, nullable=False),  # SHA-256 of the client's address (and the user's name)
    Column("at", Text, nullable=False),
    Index(None, "place", "at"),
    Index(None, "at"),
)

store_state = Table(
    "store_state",
    metadata,
    Column("key", Text, primary_key=True),  # moving-from: an unfinished move to this store
    Column("value", Text, nullable=False),
)
