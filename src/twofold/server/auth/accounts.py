"""Users, logins, tokens and channels; every change is recorded in the audit log."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import permissions, tokens
from twofold.server.context import Registry
from twofold.server.model import UPLOADS_ONLY, Action, Actor, Channel, Token, User
from twofold.server.store import Connection, accounts, audit, channels

OWNER, MAIN = permissions.OWNER, "main"

EVERYTHING = frozenset({Action.READ, Action.UPLOAD, Action.ADMIN})

#: First path segments of URLs that are not channels.
RESERVED = frozenset(
    {"api", "t", "static", "healthz", "readyz", "metrics", "admin", "_", "upload", "simple"}
)

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")

#: A project's normalised name (PEP 503).
_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True)
class TokenRequest:
    """The limits of a token to be created; None means no limit."""

    name: str
    actions: frozenset[Action] = EVERYTHING
    channel: str | None = None
    project: str | None = None
    expires_at: datetime | None = None
    application: dict[str, Any] = field(default_factory=dict)


def identify(registry: Registry, secret: str | None, user: str | None = None) -> Actor:
    """Return the actor of a secret; anonymous without one. Raises Refused when it is wrong."""
    with registry.database.read() as db:
        return permissions.identify(db, secret, user, registry.clock())


def check_password(registry: Registry, user: str, password: str) -> Actor:
    """Return the user of a password or token, whatever else a sign-in requires. Raises Refused."""
    with registry.database.read() as db:
        return permissions.check_password(db, user, password, registry.clock())


def bootstrap_owner(registry: Registry) -> str | None:
    """Create user `owner` and channel `main` on an empty store; return the owner's token."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        if accounts.find_user(db, OWNER) is not None:
            return None
        owner = accounts.add_user(db, OWNER, at, home=MAIN)
        channels.add_channel(db, MAIN, owner.id, at)
        secret = tokens.new_token()
        _add_token(db, owner, TokenRequest("first start"), secret, at)
        audit.add_entry(db, audit.AuditEntry(at, OWNER, "first-start", MAIN))
    return secret


def issue_token(registry: Registry, actor: Actor, request: TokenRequest) -> tuple[str, Token]:
    """Create a token for the actor, limited to the permissions of the current login."""
    user, request = restrict_token_request(actor, request)
    return issue_token_for(registry, actor.name, user, request)


def restrict_token_request(actor: Actor, request: TokenRequest) -> tuple[User, TokenRequest]:
    """Return the user, and the request limited to the current login. Raises Refused (401, 403)."""
    if actor.user is None:
        raise Refused("no-login", "Log in to make a token", status=401)
    if actor.token is not None:
        request = _restrict_to_token(actor.token, request)
    return actor.user, request


def issue_token_for(
    registry: Registry, by: str, user: User, request: TokenRequest
) -> tuple[str, Token]:
    """Create a token for a user, on behalf of an administrator. Raises Refused (409)."""
    if user.kind != "user":
        hint = "make one for a member, with 'channel' for its channel alone"
        raise Refused("not-a-user", f"'{user.name}' is an organisation", hint, 409)
    with registry.database.write() as db:
        return create_token(db, by, user, request, registry.clock())


def create_token(
    db: Connection, by: str, user: User, request: TokenRequest, at: datetime
) -> tuple[str, Token]:
    """Create a token and audit it. Raises Refused for an unknown channel or invalid project."""
    secret, request = tokens.new_token(), _normalize_request(db, request)
    token = _add_token(db, user, request, secret, at)
    detail = {"name": request.name, "channel": request.channel, "project": request.project}
    audit.add_entry(db, audit.AuditEntry(at, by, "token", "", token.shown, detail))
    return secret, token


def _normalize_request(db: Connection, request: TokenRequest) -> TokenRequest:
    """Return the request with its project normalized; the project need not exist yet."""
    if request.channel is not None and channels.find_channel(db, request.channel) is None:
        raise Refused("no-channel", f"There is no channel '{request.channel[:100]}'", status=404)
    if request.project is None:
        return request
    key = normalize_name(request.project)
    if not _PROJECT.fullmatch(key):
        hint = "letters and digits, with - . _ between them"
        raise Refused("invalid-name", f"No project is called {request.project[:80]!a}", hint)
    return replace(request, project=key)


def _add_token(
    db: Connection, user: User, request: TokenRequest, secret: str, at: datetime
) -> Token:
    return accounts.add_token(db, make_token(user, request, secret, at), tokens.hash_token(secret))


def make_token(user: User, request: TokenRequest, secret: str, at: datetime) -> Token:
    """Build the token record; the store assigns the id."""
    return Token(
        id=0,
        user_id=user.id,
        shown=tokens.token_prefix(secret),
        name=request.name,
        actions=request.actions,
        created_at=at,
        channel=request.channel,
        project=request.project,
        expires_at=request.expires_at,
        application=request.application,
    )


def _restrict_to_token(token: Token, request: TokenRequest) -> TokenRequest:
    """Return the request, expiring with the token. Raises Refused when it exceeds the token."""
    allowed = all(any(own.includes(a) for own in token.actions) for a in request.actions)
    if (
        not allowed
        or token.channel not in (None, request.channel)
        or token.project not in (None, request.project)
    ):
        raise Refused("forbidden", "A token cannot make one that may do more", status=403)
    if token.uploads_only:
        kept = {UPLOADS_ONLY: True}
        request = replace(request, application={**request.application, **kept})
    ends = [end for end in (token.expires_at, request.expires_at) if end is not None]
    return replace(request, expires_at=min(ends, default=None))


def list_tokens(registry: Registry, actor: Actor) -> list[Token]:
    """Return the actor's tokens that are not revoked. Raises Refused (401) without a login."""
    if actor.user is None:
        raise Refused("no-login", "Log in to see your tokens", status=401)
    with registry.database.read() as db:
        return list(accounts.list_tokens(db, actor.user.id))


def revoke(registry: Registry, by: str, token: Token) -> None:
    """Revoke a token."""
    with registry.database.write() as db:
        revoke_token(db, by, token, registry.clock())


def revoke_token(db: Connection, by: str, token: Token, at: datetime) -> None:
    """Revoke a token; a token already revoked gets no second audit entry."""
    if accounts.revoke_token(db, token.id, at):
        audit.add_entry(db, audit.AuditEntry(at, by, "revoke", "", token.shown))


def get_user(registry: Registry, name: str) -> User:
    """Return the user of that name. Raises Refused (404)."""
    with registry.database.read() as db:
        found = accounts.find_user(db, name)
    if found is None:
        raise Refused("no-user", f"There is no user '{name[:100]}'", status=404)
    return found


def add_user(
    registry: Registry, by: str, name: str, password: str | None = None, kind: str = "user"
) -> User:
    """Create a user or organisation; the name is lower case, like a channel's."""
    hashed = tokens.hash_password(password) if password else None
    with registry.database.serialized_write() as db:
        return create_user(db, by, name, registry.clock(), hashed, kind)


def create_user(
    db: Connection, by: str, name: str, at: datetime, hashed: str | None, kind: str = "user"
) -> User:
    """Create a user or organisation in an open transaction. Raises Refused (400, 409)."""
    _check_name(name, "user")
    if accounts.find_user(db, name) is not None:
        raise Refused("user-exists", f"There is a user '{name}' already", status=409)
    added = accounts.add_user(db, name, at, hashed, kind)
    audit.add_entry(db, audit.AuditEntry(at, by, "user", "", name, {"kind": kind}))
    return added


def add_channel(
    registry: Registry, by: str, name: str, owner: User, public: bool = True
) -> Channel:
    """Create a channel. Raises Refused for an invalid name or (409) a used one."""
    _check_name(name, "channel")
    at = registry.clock()
    with registry.database.serialized_write() as db:
        if channels.find_channel(db, name) is not None:
            raise Refused("channel-exists", f"There is a channel '{name}' already", status=409)
        added = channels.add_channel(db, name, owner.id, at, public)
        detail = {"owner": owner.name, "public": public}
        audit.add_entry(db, audit.AuditEntry(at, by, "channel", name, name, detail))
    return added


def is_name(name: str) -> bool:
    """Whether a user or a channel can have this name."""
    return _NAME.fullmatch(name) is not None and name not in RESERVED


def _check_name(name: str, what: str) -> None:
    if not is_name(name):
        raise Refused(
            "invalid-name",
            f"{name[:80]!a} cannot be the name of a {what}",
            "lower-case letters, digits, - and _, at most 64; not a word the registry needs",
        )


def find_owner_channel(registry: Registry, owner: str) -> str:
    """Return the channel of an Anaconda.org owner: the one named so, or the user's home.

    The name itself where there is neither: a request for that channel is then refused.
    """
    with registry.database.read() as db:
        if channels.find_channel(db, owner) is not None:
            return owner
        found = accounts.find_user(db, owner)
    return owner if found is None or found.home is None else found.home
