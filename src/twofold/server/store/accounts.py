"""Users, roles, tokens, trusted publishers and failed logins in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from twofold.server.model import Action, Token, User, from_text, to_text
from twofold.server.store.schema import (
    channels,
    guesses,
    members,
    publishers,
    roles,
    tokens,
    used_assertions,
    users,
)
from twofold.server.store.tables.inserts import inserted_id

# Statements of every request are built once: building one costs as much as its run.
_TOKEN = select(tokens).where(tokens.c.hash == bindparam("hash"))
_USER = select(users).where(users.c.id == bindparam("id"))


def add_user(
    db: Connection,
    name: str,
    at: datetime,
    password: str | None = None,
    kind: str = "user",
    home: str | None = None,
) -> User:
    """Add a user or an organisation."""
    values = {"name": name, "kind": kind, "password": password, "home": home}
    done = db.execute(insert(users).values(**values, created_at=to_text(at)))
    return User(inserted_id(done), name, kind, at, home)


def find_user(db: Connection, name: str) -> User | None:
    """Return the user of this name, or None."""
    row = db.execute(select(users).where(users.c.name == name)).first()
    return _to_user(row) if row else None


def find_user_by_id(db: Connection, user_id: int) -> User | None:
    """Return the user with this id, or None."""
    row = db.execute(_USER, {"id": user_id}).first()
    return _to_user(row) if row else None


def list_users(db: Connection) -> list[User]:
    """List all users and organisations, sorted by name."""
    return [_to_user(row) for row in db.execute(select(users).order_by(users.c.name))]


def get_password_hash(db: Connection, name: str) -> str | None:
    """Return the argon2 hash, or None if there is no such user or no password."""
    query = select(users.c.password).where(users.c.name == name, users.c.disabled_at.is_(None))
    return db.execute(query).scalar()


def set_password(db: Connection, user_id: int, password: str | None) -> None:
    """Set a user's password hash, or remove it (None)."""
    db.execute(update(users).where(users.c.id == user_id).values(password=password))


def disable_user(db: Connection, user_id: int, at: datetime) -> None:
    """Mark a user as disabled."""
    db.execute(update(users).where(users.c.id == user_id).values(disabled_at=to_text(at)))


def set_member(db: Connection, organisation_id: int, user_id: int, role: Action | None) -> None:
    """Set a user's role in an organisation, or remove it (None)."""
    where = (members.c.organisation_id == organisation_id) & (members.c.user_id == user_id)
    db.execute(delete(members).where(where))
    if role is not None:
        values = {"organisation_id": organisation_id, "user_id": user_id, "role": role}
        db.execute(insert(members).values(**values))


def set_role(db: Connection, channel_id: int, user_id: int, role: Action | None) -> None:
    """Set the role of a user or an organisation in a channel, or remove it (None)."""
    where = (roles.c.channel_id == channel_id) & (roles.c.user_id == user_id)
    db.execute(delete(roles).where(where))
    if role is not None:
        db.execute(insert(roles).values(channel_id=channel_id, user_id=user_id, role=role))


def list_user_roles(db: Connection, channel_id: int, user_id: int) -> list[Action]:
    """List a user's roles in a channel: its own and those of its organisations."""
    own = select(roles.c.role).where(roles.c.channel_id == channel_id, roles.c.user_id == user_id)
    found = [Action(role) for role in db.execute(own).scalars()]
    of_organisations = (
        select(roles.c.role, members.c.role)
        .join(members, members.c.organisation_id == roles.c.user_id)
        .join(users, users.c.id == members.c.organisation_id)
        .where(roles.c.channel_id == channel_id, members.c.user_id == user_id)
        .where(users.c.disabled_at.is_(None))
    )
    for given, limit in db.execute(of_organisations):
        found.append(min(Action(given), Action(limit), key=list(Action).index))
    return found


def get_organisation_role(db: Connection, organisation_id: int, user_id: int) -> Action | None:
    """Return a user's role in an organisation, or None; None if it is disabled."""
    query = (
        select(members.c.role)
        .join(users, users.c.id == members.c.organisation_id)
        .where(members.c.organisation_id == organisation_id, members.c.user_id == user_id)
        .where(users.c.disabled_at.is_(None))
    )
    role = db.execute(query).scalar()
    return Action(role) if role else None


def get_member_role(db: Connection, organisation_id: int, user_id: int) -> Action | None:
    """Return a user's role in an organisation, disabled or not; None if it has none."""
    query = select(members.c.role).where(
        members.c.organisation_id == organisation_id, members.c.user_id == user_id
    )
    role = db.execute(query).scalar()
    return Action(role) if role else None


def is_administrator(db: Connection, user_id: int) -> bool:
    """Whether a user owns or administrates a channel, or administrates an organisation."""
    mine = select(members.c.organisation_id).where(
        members.c.user_id == user_id, members.c.role == Action.ADMIN
    )
    own = select(channels.c.id).where(channels.c.owner_id == user_id)
    given = select(roles.c.user_id).where(roles.c.user_id == user_id, roles.c.role == Action.ADMIN)
    return any(db.execute(query.limit(1)).first() is not None for query in (own, given, mine))


def list_members(db: Connection, organisation_id: int) -> dict[str, Action]:
    """Return member name -> role of an organisation, sorted by name."""
    query = (
        select(users.c.name, members.c.role)
        .join(members, members.c.user_id == users.c.id)
        .where(members.c.organisation_id == organisation_id)
        .order_by(users.c.name)
    )
    return {name: Action(role) for name, role in db.execute(query)}


def list_channel_roles(db: Connection, channel_id: int) -> dict[str, Action]:
    """Return user name -> role in a channel."""
    query = (
        select(users.c.name, roles.c.role)
        .join(roles, roles.c.user_id == users.c.id)
        .where(roles.c.channel_id == channel_id)
    )
    return {name: Action(role) for name, role in db.execute(query)}


def add_token(db: Connection, token: Token, token_hash: str) -> Token:
    """Add a token; returns it with its id."""
    done = db.execute(
        insert(tokens).values(
            user_id=token.user_id,
            hash=token_hash,
            shown=token.shown,
            name=token.name,
            actions=",".join(sorted(token.actions)),
            channel=token.channel,
            project=token.project,
            application=json.dumps(token.application),
            created_at=to_text(token.created_at),
            expires_at=to_text(token.expires_at) if token.expires_at else None,
        )
    )
    return get_token(db, inserted_id(done))


def get_token(db: Connection, token_id: int) -> Token:
    """Return the token with this id."""
    return _to_token(db.execute(select(tokens).where(tokens.c.id == token_id)).one())


def find_token(db: Connection, token_hash: str) -> tuple[Token, User] | None:
    """Return the token and its owner, including revoked and expired tokens."""
    row = db.execute(_TOKEN, {"hash": token_hash}).first()
    if row is None:
        return None
    user = find_user_by_id(db, row.user_id)
    assert user is not None
    return _to_token(row), user


def list_tokens(db: Connection, user_id: int) -> Sequence[Token]:
    """List a user's tokens that are not revoked."""
    query = select(tokens).where(tokens.c.user_id == user_id, tokens.c.revoked_at.is_(None))
    return [_to_token(row) for row in db.execute(query.order_by(tokens.c.id))]


def revoke_token(db: Connection, token_id: int, at: datetime) -> bool:
    """Revoke a token; returns False if it was already revoked."""
    query = update(tokens).where(tokens.c.id == token_id, tokens.c.revoked_at.is_(None))
    return bool(db.execute(query.values(revoked_at=to_text(at))).rowcount)


def set_token_uses(db: Connection, used: Mapping[int, datetime]) -> None:
    """Set when tokens were used last; an earlier time than the stored one changes nothing."""
    for token_id, at in used.items():
        earlier = tokens.c.used_at.is_(None) | (tokens.c.used_at < to_text(at))
        query = update(tokens).where(tokens.c.id == token_id, earlier)
        db.execute(query.values(used_at=to_text(at)))


def _to_user(row: Row[Any]) -> User:
    return User(
        row.id,
        row.name,
        row.kind,
        from_text(row.created_at),
        row.home,
        row.disabled_at is not None,
    )


def _to_token(row: Row[Any]) -> Token:
    return Token(
        id=row.id,
        user_id=row.user_id,
        shown=row.shown,
        name=row.name,
        actions=frozenset(Action(word) for word in row.actions.split(",") if word),
        created_at=from_text(row.created_at),
        channel=row.channel,
        project=row.project,
        expires_at=from_text(row.expires_at) if row.expires_at else None,
        revoked_at=from_text(row.revoked_at) if row.revoked_at else None,
        used_at=from_text(row.used_at) if row.used_at else None,
        application=json.loads(row.application),
    )


def count_attempts(db: Connection, places: Iterable[str], since: datetime) -> dict[str, int]:
    """Count the failed logins for each of these keys."""
    wanted = list(places)
    query = select(guesses.c.place, func.count()).where(
        guesses.c.place.in_(wanted), guesses.c.at > to_text(since)
    )
    found = {row[0]: row[1] for row in db.execute(query.group_by(guesses.c.place))}
    return {place: found.get(place, 0) for place in wanted}


def record_attempt(db: Connection, places: Iterable[str], at: datetime) -> int:
    """Record a failed login for each of these keys; returns the last row's id."""
    last = 0
    for place in places:
        last = inserted_id(db.execute(insert(guesses).values(place=place, at=to_text(at))))
    return last


def delete_old_attempts(db: Connection, before: datetime, up_to: int) -> None:
    """Delete older rows, and all rows up to an id."""
    db.execute(delete(guesses).where((guesses.c.at <= to_text(before)) | (guesses.c.id <= up_to)))


def delete_attempts(db: Connection, place: str) -> None:
    """Delete the failed logins of a key."""
    db.execute(delete(guesses).where(guesses.c.place == place))


@dataclass(frozen=True, slots=True)
class TrustedPublisher:
    """A trusted publisher of a project: issuer, and claim -> required value.

    `internal`: the operator allowed an issuer whose address is not public.
    """

    id: int
    channel_id: int
    project: str
    issuer: str
    claims: dict[str, str]
    internal: bool = False


def add_publisher(db: Connection, publisher: TrustedPublisher, at: datetime) -> TrustedPublisher:
    """Add a trusted publisher; returns it with its id."""
    values = {
        "channel_id": publisher.channel_id,
        "project": publisher.project,
        "issuer": publisher.issuer,
        "claims": json.dumps(publisher.claims, sort_keys=True),
        "created_at": to_text(at),
        "internal": publisher.internal,
    }
    added = inserted_id(db.execute(insert(publishers).values(**values)))
    return replace(publisher, id=added)


def list_publishers(db: Connection, channel_id: int | None = None) -> list[TrustedPublisher]:
    """List the trusted publishers of a channel, or all."""
    query = select(publishers).order_by(publishers.c.id)
    if channel_id is not None:
        query = query.where(publishers.c.channel_id == channel_id)
    return [_to_publisher(row) for row in db.execute(query)]


def remove_publisher(db: Connection, publisher_id: int) -> bool:
    """Remove a trusted publisher; returns False if there was none."""
    return bool(db.execute(delete(publishers).where(publishers.c.id == publisher_id)).rowcount)


def record_first_use(db: Connection, issuer: str, jti: str, until: datetime, at: datetime) -> bool:
    """Record a use of an identity token; returns False if it was used before."""
    db.execute(delete(used_assertions).where(used_assertions.c.expires_at < to_text(at)))
    values = {"issuer": issuer, "jti": jti, "expires_at": to_text(until)}
    try:
        with db.begin_nested():
            db.execute(insert(used_assertions).values(**values))
    except IntegrityError:
        return False
    return True


def _to_publisher(row: Row[Any]) -> TrustedPublisher:
    claims = json.loads(row.claims)
    words = row.id, row.channel_id, row.project, row.issuer, claims, bool(row.internal)
    return TrustedPublisher(*words)
