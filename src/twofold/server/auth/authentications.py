"""Named tokens with scopes and an expiry, as in the Anaconda.org API.

A scope grants actions, or restricts a token to a channel or project:

    all, admin                    everything its user may
    conda, pypi, api:write, ...   read and upload
    repos, conda:download, ...    read
    channel:NAME, project:NAME    only there

A channel serves pip and conda, so a scope of one is valid for the other as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import accounts
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, Token, User
from twofold.server.store import Connection
from twofold.server.store import accounts as stored

_READ = frozenset({Action.READ})
_UPLOAD = frozenset({Action.READ, Action.UPLOAD})

#: Scope -> (granted actions, description for users).
SCOPES: dict[str, tuple[frozenset[Action], str]] = {
    "all": (accounts.EVERYTHING, "everything you may do"),
    "admin": (accounts.EVERYTHING, "everything you may do"),
    "api": (_UPLOAD, "read, upload, label and remove"),
    "api:read": (_READ, "look at packages and files"),
    "api:write": (_UPLOAD, "read, upload, label and remove"),
    "conda": (_UPLOAD, "read and upload packages"),
    "conda:download": (_READ, "download packages"),
    "pypi": (_UPLOAD, "read and upload packages"),
    "pypi:download": (_READ, "download packages"),
    "pypi:upload": (_UPLOAD, "read and upload packages"),
    "repo": (_READ, "download from your channels"),
    "repos": (_READ, "download from your channels"),
}

#: Scopes with a name after the colon.
NARROWING = {
    "channel:NAME": "in this channel only",
    "project:NAME": "for this project only",
}

#: The longest lifetime of a token (seconds); without one it is valid until removed.
MAX_AGE = 100 * 366 * 24 * 3600

MAX_NAME_LENGTH = 200


@dataclass(frozen=True)
class TokenSpec:
    """A requested token. `max_age` in seconds; None: valid until removed."""

    name: str
    scopes: tuple[str, ...] = ()
    max_age: int | None = None
    channel: str | None = None
    fail_if_exists: bool = False
    hostname: str = ""
    address: str = ""


def log_in(registry: Registry, user: str, secret: str) -> Actor:
    """Log in with one of the user's tokens in place of a password. Raises Refused (401)."""
    actor = accounts.identify(registry, secret, user)
    if user and actor.name != user:
        raise Refused("invalid-login", "Invalid user name or password", status=401)
    return actor


def create(registry: Registry, actor: Actor, spec: TokenSpec) -> str:
    """Create a named token, replacing an older one of that name. Raises Refused (400).

    Only an unrestricted login may replace other tokens; a token may always replace itself.
    """
    if not spec.name or len(spec.name) > MAX_NAME_LENGTH:
        raise Refused("invalid-name", f"A token's name has 1 to {MAX_NAME_LENGTH} characters")
    user, request = accounts.restrict_token_request(actor, _to_token_request(registry, spec))
    at = registry.clock()
    with registry.database.serialized_write() as db:
        older = [token for token in _list_valid(db, user, at) if token.name == spec.name]
        others = [token for token in older if actor.token is None or token.id != actor.token.id]
        if (older and spec.fail_if_exists) or (others and not _is_unrestricted(actor)):
            raise Refused("token-exists", f"There is a token named '{spec.name}' already")
        secret, _ = accounts.create_token(db, actor.name, user, request, at)
        for token in older:
            accounts.revoke_token(db, actor.name, token, at)
    return secret


def _to_token_request(registry: Registry, spec: TokenSpec) -> accounts.TokenRequest:
    application = {
        "scopes": list(spec.scopes) or ["all"],
        "hostname": spec.hostname[:MAX_NAME_LENGTH],
        "remote_addr": spec.address,
    }
    request = accounts.TokenRequest(spec.name, application=application, channel=spec.channel)
    request = _apply_scopes(request, spec.scopes)
    if spec.max_age is not None:
        if not 0 < spec.max_age <= MAX_AGE:
            raise Refused("invalid-age", f"A token is valid for 1 to {MAX_AGE} seconds")
        end = registry.clock() + timedelta(seconds=spec.max_age)
        request = replace(request, expires_at=end)
    return request


def _apply_scopes(request: accounts.TokenRequest, scopes: Iterable[str]) -> accounts.TokenRequest:
    actions: frozenset[Action] = frozenset()
    for scope in scopes:
        word, _, name = scope.partition(":")
        if word == "channel" and name:
            request = replace(request, channel=_narrow_to(request.channel, name))
        elif word == "project" and name:
            request = replace(request, project=_narrow_to(request.project, normalize_name(name)))
        elif scope in SCOPES:
            actions |= SCOPES[scope][0]
        else:
            known = ", ".join([*SCOPES, *NARROWING])
            raise Refused("unknown-scope", f"There is no scope {scope[:80]!a}", f"known: {known}")
    return replace(request, actions=actions) if actions else request


def _narrow_to(present: str | None, name: str) -> str:
    if present not in (None, name):
        message = f"A token can be restricted to one place only: '{present}' or '{name}'"
        raise Refused("several-places", message)
    return name


def list_all(registry: Registry, actor: Actor) -> list[Token]:
    """Return the actor's valid tokens, oldest first."""
    user = _require_unrestricted(actor)
    with registry.database.read() as db:
        return _list_valid(db, user, registry.clock())


def revoke(registry: Registry, actor: Actor, name: str, channel: str | None = None) -> None:
    """Revoke the actor's token of that name (of that channel only). Raises Refused (404)."""
    user, at = _require_unrestricted(actor), registry.clock()
    with registry.database.serialized_write() as db:
        found = [
            token
            for token in _list_valid(db, user, at)
            if token.name == name and channel in (None, token.channel)
        ]
        if not found:
            raise Refused("no-token-named", f"There is no token named {name[:100]!a}", status=404)
        for token in found:
            accounts.revoke_token(db, actor.name, token, at)


def get_current_token(actor: Actor) -> Token:
    """Return the token of this request. Raises Refused (401) without one."""
    if actor.token is None:
        raise Refused("no-login", "This request carries no token", status=401)
    return actor.token


def revoke_current(registry: Registry, actor: Actor) -> None:
    """Revoke the token of this request."""
    accounts.revoke(registry, actor.name, get_current_token(actor))


def _list_valid(db: Connection, user: User, at: datetime) -> list[Token]:
    found = stored.list_tokens(db, user.id)
    return [token for token in found if token.expires_at is None or token.expires_at > at]


def _require_unrestricted(actor: Actor) -> User:
    """Require an unrestricted login, to list or revoke tokens. Raises Refused."""
    if actor.user is None:
        raise Refused("no-login", "Log in to see your tokens", status=401)
    if not _is_unrestricted(actor):
        raise Refused("forbidden", "This token may not see or remove other tokens", status=403)
    return actor.user


def _is_unrestricted(actor: Actor) -> bool:
    return actor.token is None or actor.token.is_whole
