"""How people sign in: sessions, second factors, identities at issuers, invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _text(name: str, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=nullable)


def _reference(table: str, column: str, target: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], [f"{target}.id"], name=f"fk_{table}_{column}_{target}")


def upgrade() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _NUMBER, nullable=False, autoincrement=True),
        sa.Column("user_id", _NUMBER, nullable=False),
        sa.Column("token_id", _NUMBER, nullable=True),
        _text("hash"),
        _text("method"),
        _text("agent"),
        _text("address"),
        _text("created_at"),
        _text("used_at"),
        _text("expires_at"),
        _reference("sessions", "user_id", "users"),
        _reference("sessions", "token_id", "tokens"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sa.UniqueConstraint("hash", name="uq_sessions_hash"),
    )
    op.create_index("ix_sessions_user_id", "sessions", ["user_id"])
    op.create_table(
        "second_factors",
        sa.Column("user_id", _NUMBER, nullable=False, autoincrement=False),
        _text("secret"),
        _text("created_at"),
        _text("confirmed_at", nullable=True),
        sa.Column("last_step", sa.BigInteger(), nullable=False, server_default="0"),
        _reference("second_factors", "user_id", "users"),
        sa.PrimaryKeyConstraint("user_id", name="pk_second_factors"),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("user_id", _NUMBER, nullable=False, autoincrement=False),
        _text("hash"),
        _reference("recovery_codes", "user_id", "users"),
        sa.PrimaryKeyConstraint("user_id", "hash", name="pk_recovery_codes"),
    )
    op.create_table(
        "identities",
        _text("issuer"),
        _text("subject"),
        sa.Column("user_id", _NUMBER, nullable=False),
        _text("created_at"),
        _reference("identities", "user_id", "users"),
        sa.PrimaryKeyConstraint("issuer", "subject", name="pk_identities"),
    )
    op.create_index("ix_identities_user_id", "identities", ["user_id"])
    op.create_table(
        "invitations",
        sa.Column("id", _NUMBER, nullable=False, autoincrement=True),
        _text("hash"),
        sa.Column("channel_id", _NUMBER, nullable=True),
        sa.Column("organisation_id", _NUMBER, nullable=True),
        _text("role"),
        _text("invited_by"),
        _text("created_at"),
        _text("expires_at"),
        _reference("invitations", "channel_id", "channels"),
        _reference("invitations", "organisation_id", "users"),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("hash", name="uq_invitations_hash"),
    )
