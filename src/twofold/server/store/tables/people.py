"""The tables of sign-in. Secrets of sessions and invitations are stored as SHA-256 only."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Table, Text

from twofold.server.store.tables.base import make_foreign_key, make_id, metadata

sessions = Table(
    "sessions",
    metadata,
    make_id(),
    make_foreign_key("user_id", "users.id", nullable=False),
    make_foreign_key("token_id", "tokens.id"),  # of a sign-in with a token: its limits hold
    Column("hash", Text, nullable=False, unique=True),  # SHA-256 of the cookie's value
    Column("method", Text, nullable=False),  # password | token | issuer; code: half signed in
    Column("agent", Text, nullable=False),  # the browser, as it calls itself
    Column("address", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("used_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Index(None, "user_id"),
)

second_factors = Table(
    "second_factors",
    metadata,
    make_foreign_key("user_id", "users.id", primary_key=True, autoincrement=False),
    Column("secret", Text, nullable=False),  # base32 (RFC 6238)
    Column("created_at", Text, nullable=False),
    Column("confirmed_at", Text),  # None: no code was entered yet, and none is required
    Column("last_step", BigInteger, nullable=False, server_default="0"),  # of the last code used
)

recovery_codes = Table(
    "recovery_codes",
    metadata,
    make_foreign_key("user_id", "users.id", primary_key=True, autoincrement=False),
    Column("hash", Text, primary_key=True),
)

identities = Table(
    "identities",
    metadata,
    Column("issuer", Text, primary_key=True),
    Column("subject", Text, primary_key=True),
    make_foreign_key("user_id", "users.id", nullable=False),
    Column("created_at", Text, nullable=False),
    Index(None, "user_id"),
)

invitations = Table(
    "invitations",
    metadata,
    make_id(),
    Column("hash", Text, nullable=False, unique=True),
    make_foreign_key("channel_id", "channels.id"),  # the role's channel, or
    make_foreign_key("organisation_id", "users.id"),  # its organisation
    Column("role", Text, nullable=False),
    Column("invited_by", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
)
