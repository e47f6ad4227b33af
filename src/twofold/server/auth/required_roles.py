"""The roles that calls of the management API require.

Operators of the registry (`permissions.is_operator`) may do everything, like `twofold admin` on the
store, under their own name in the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import permissions
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor
from twofold.server.store import Connection, accounts


class RequiredRole(StrEnum):
    """The role that a call requires of the caller."""

    LOGIN = "a login"
    SELF = "to be that user with an unrestricted login, or an operator"
    ORGANISATION = "to act for the organisation with the role admin, or an operator"
    READ = "permission to read in the channel"
    UPLOAD = "permission to upload in the channel (to that project)"
    ADMIN = "permission to administrate the channel"
    OPERATOR = "to be an operator of the registry"


_IN_CHANNEL = {
    RequiredRole.READ: Action.READ,
    RequiredRole.UPLOAD: Action.UPLOAD,
    RequiredRole.ADMIN: Action.ADMIN,
}


def authorize(
    registry: Registry, actor: Actor, role: RequiredRole, parameters: Mapping[str, Any]
) -> Actor:
    """Return the actor authorized for this call. Raises Refused: 401 without a login, 403, 404."""
    with registry.database.read() as db:
        if actor.user is None and role is not RequiredRole.READ:
            raise Refused("no-token", "A token is needed for this", "send it as Bearer", 401)
        if permissions.is_operator(db, actor):
            actor = replace(actor, operator=True)
        if role in _IN_CHANNEL:
            key = normalize_name(parameters["project"]) if parameters.get("project") else None
            require_channel(db, actor, parameters["channel"], _IN_CHANNEL[role], key)
        elif not actor.operator and not _has_role(db, actor, role, parameters):
            message = f"'{actor.name}' may not do this: it requires {role}"
            raise Refused("forbidden", message, status=403)
    return actor


def _has_role(
    db: Connection, actor: Actor, required: RequiredRole, parameters: Mapping[str, Any]
) -> bool:
    user = actor.user
    if required is RequiredRole.LOGIN:
        return True
    if user is None or (actor.token is not None and not actor.token.is_whole):
        return False
    if required is RequiredRole.SELF:
        return bool(user.name == parameters["user"])
    if required is RequiredRole.ORGANISATION:
        organisation = accounts.find_user(db, parameters["organisation"])
        if organisation is not None:
            role = accounts.get_organisation_role(db, organisation.id, user.id)
            return role is Action.ADMIN
    return False


def require_operator(actor: Actor, what: str) -> None:
    """Raise Refused unless the actor is an operator of the registry."""
    if not actor.operator:
        hint = "ask an operator of the registry"
        raise Refused("forbidden", f"'{actor.name}' may not change the {what}", hint, 403)
