"""Identifies actors and decides their permissions. Read-only.

A secret is a token or a user's password. Permissions come from the channel (the owner may do
everything, everyone may read a public channel, roles define the rest) and are restricted by the
token (its channel, its project, its actions).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from twofold.errors import Refused
from twofold.server.auth import tokens
from twofold.server.model import ANONYMOUS, Action, Actor, Channel
from twofold.server.store import Connection, accounts
from twofold.server.store.people import second_factors

#: The operators of the registry over HTTP: the user of the first start, and admin members of the
#: organisation of this name.
OWNER, OPERATORS = "owner", "operators"


SECOND_FACTOR_TEXT = "A password alone is not accepted: this user signs in with a second factor"
SECOND_FACTOR_HINT = "make a token on the page /-/account, and send it in the password's place"

TOKEN_HINT = "send it as the password of user __token__, as a Bearer header, or as /t/TOKEN/"


def identify(db: Connection, secret: str | None, user: str | None, at: datetime) -> Actor:
    """Return the actor of a secret (and, for passwords, a user name). No secret: anonymous.

    Raises Refused (401) when the secret is wrong, expired or revoked: a wrong secret is never
    treated as anonymous, or a mistyped token would look like a missing package.
    """
    if not secret:
        return ANONYMOUS
    if secret.startswith(tokens.PREFIX):
        return _identify_by_token(db, secret, at)
    if user and user != "__token__":
        return identify_by_password(db, user, secret, at)
    raise Refused(
        "invalid-token",
        "Invalid token: it does not begin with 'twofold-'",
        "use the token that 'twofold serve' printed first, or one from 'twofold admin token'",
        401,
    )


def is_password(secret: str | None, user: str | None) -> bool:
    """Whether a secret is a user's password, and not a token."""
    return bool(secret and user and user != "__token__" and not secret.startswith(tokens.PREFIX))


def identify_by_password(db: Connection, user: str, password: str, at: datetime) -> Actor:
    """Return the user with this password (or token, valid at `at`). Raises Refused (401).

    The password of a user with a second factor counts only where a code is entered too.
    """
    actor = check_password(db, user, password, at)
    if actor.token is None and actor.user is not None:
        factor = second_factors.find_factor(db, actor.user.id)
        if factor is not None and factor.is_confirmed:
            raise Refused("second-factor", SECOND_FACTOR_TEXT, SECOND_FACTOR_HINT, 401)
    return actor


def check_password(db: Connection, user: str, password: str, at: datetime) -> Actor:
    """Return the user with this password or token, whatever else a sign-in requires.

    Raises Refused (401).
    """
    if tokens.is_well_formed(password):
        found = accounts.find_token(db, tokens.hash_token(password))
        if found and found[1].name == user:
            return _identify_by_token(db, password, at)
        raise _refuse_login()
    known = accounts.find_user(db, user)
    matches = tokens.is_password_right(password, accounts.get_password_hash(db, user))
    if matches and known and not known.disabled:
        return Actor(known)
    raise _refuse_login()


def _refuse_login() -> Refused:
    return Refused(
        "invalid-login",
        "Invalid user name or password",
        "a user without a password logs in with a token in its place",
        401,
    )


def _identify_by_token(db: Connection, secret: str, at: datetime) -> Actor:
    found = accounts.find_token(db, tokens.hash_token(secret))
    if found is None:
        mistyped = "" if tokens.is_well_formed(secret) else " (mistyped: its checksum is wrong)"
        raise Refused("invalid-token", f"Invalid token{mistyped}", "check the token", 401)
    token, user = found
    hint = "make a new one with 'twofold admin token'"
    if token.revoked_at is not None or user.disabled:
        raise Refused("revoked-token", f"Token {token.shown} has been revoked", hint, 401)
    if token.expires_at is not None and token.expires_at <= at:
        raise Refused("expired-token", f"Token {token.shown} has expired", hint, 401)
    return Actor(user, token)


def is_allowed(
    db: Connection, actor: Actor, action: Action, channel: Channel, project: str | None = None
) -> bool:
    """Whether the actor may do this in the channel (to this project, normalized)."""
    if actor.operator:
        return True
    token = actor.token
    if token is not None and not _token_allows(actor, action, channel, project):
        return action is Action.READ and channel.public
    if action is Action.READ and channel.public:
        return True
    return actor.user is not None and _is_user_allowed(db, actor, action, channel)


def may_know(db: Connection, actor: Actor, channel: Channel) -> bool:
    """Whether the actor may know that there is this channel, whatever its token is limited to."""
    if channel.public or actor.operator:
        return True
    return actor.user is not None and _is_user_allowed(db, actor, Action.READ, channel)


def _token_allows(actor: Actor, action: Action, channel: Channel, project: str | None) -> bool:
    token = actor.token
    assert token is not None
    return (
        any(given.includes(action) for given in token.actions)
        and token.channel in (None, channel.name)
        and (token.project is None or action is Action.READ or project in token.projects)
    )


def _is_user_allowed(db: Connection, actor: Actor, action: Action, channel: Channel) -> bool:
    user = actor.user
    assert user is not None
    if channel.owner_id == user.id:
        return True
    in_owner = accounts.get_organisation_role(db, channel.owner_id, user.id)
    if in_owner is not None and in_owner.includes(action):
        return True
    return any(role.includes(action) for role in accounts.list_user_roles(db, channel.id, user.id))


def check_may_change(actor: Actor) -> None:
    """Check that a token may change what is published already. Raises Refused (403)."""
    if actor.token is not None and actor.token.uploads_only:
        is_publisher = "publisher" in actor.token.application
        whose = "A trusted publisher" if is_publisher else "This token"
        text = f"{whose} uploads, and changes or deletes nothing that is there"
        raise Refused("uploads-only", text, "use another token of a user", 403)


def is_operator(db: Connection, actor: Actor) -> bool:
    """Whether the actor is an operator of the registry, with an unrestricted login."""
    user, token = actor.user, actor.token
    if actor.operator:
        return True
    if user is None or user.disabled:
        return False
    if token is not None and not token.is_whole:
        return False
    if user.name == OWNER:
        return True
    operators = accounts.find_user(db, OPERATORS)
    if operators is None or operators.kind != "organisation" or operators.disabled:
        return False
    return accounts.get_organisation_role(db, operators.id, user.id) is Action.ADMIN


def can_use_prefix(db: Connection, actor: Actor, channel: Channel, owner_id: int) -> bool:
    """Whether the actor may create projects under a prefix of this owner (PEP 752)."""
    user = actor.user
    if actor.operator:
        return True
    return user is not None and (
        user.id == owner_id
        or accounts.get_organisation_role(db, owner_id, user.id) is not None
        or is_allowed(db, actor, Action.ADMIN, channel)
    )


def require_prefix(
    db: Connection, actor: Actor, channel: Channel, prefix: str, owner_id: int
) -> None:
    """Raise Refused when the actor may not create projects under a prefix (PEP 752)."""
    if can_use_prefix(db, actor, channel, owner_id):
        return
    raise Refused(
        "private-prefix",
        f"Names that begin with '{prefix}' are reserved in channel '{channel.name}'",
        "ask the owner of the prefix, or choose another name",
        403,
    )


def require(
    db: Connection, actor: Actor, action: Action, channel: Channel, project: str | None = None
) -> None:
    """Require a permission. Raises Refused: 401 when logging in may help, else 403."""
    if is_allowed(db, actor, action, channel, project):
        return
    subject = f"project '{project}' of channel" if project else "channel"
    if actor.user is None:
        raise Refused(
            "no-token",
            f"A token is needed to {action} in {subject} '{channel.name}'",
            TOKEN_HINT,
            401,
        )
    _check_token_limits(db, actor, action, channel, project)
    raise Refused(
        "forbidden",
        f"'{actor.name}' lacks permission to {action} in {subject} '{channel.name}' (this login)",
        f"ask the owner of '{channel.name}' for the role '{action}'",
        403,
    )


def _check_token_limits(
    db: Connection, actor: Actor, action: Action, channel: Channel, project: str | None
) -> None:
    """Raise Refused with the token's limit, where its user has the permission."""
    token = actor.token
    if token is None or not is_allowed(db, replace(actor, token=None), action, channel, project):
        return
    if not any(one.includes(action) for one in token.actions):
        limit = f"for {', '.join(sorted(token.actions)) or 'nothing'} only"
        wanted = f"that allows '{action}'"
    elif token.channel not in (None, channel.name):
        limit, wanted = f"for channel '{token.channel}' only", f"for '{channel.name}'"
    else:
        limit = f"for {', '.join(map(repr, token.projects))} only"
        wanted = f"for '{project}'" if project else "for the whole channel"
    raise Refused(
        "forbidden",
        f"this token of '{actor.name}' lacks permission to {action} in channel '{channel.name}': "
        f"it is {limit}",
        f"use another token of '{actor.name}', one {wanted}",
        403,
    )
