"""Who may manage what over HTTP: the rights that the calls of the management API need.

Who looks after the whole registry (`access.is_operator`) may everything, as `twofold admin` on the
store may, under a name of its own in the audit log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import Any

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server import access
from twofold.server.model import Action, Actor
from twofold.server.registry import Registry, reachable
from twofold.server.store import Connection, people


class Needs(StrEnum):
    """What a call needs of who makes it."""

    LOGIN = "a login"
    SELF = "to be that user, with a login that is good for everything, or an operator"
    ORGANISATION = "to act for the organisation with the role admin, or an operator"
    READ = "the right to read in the channel"
    UPLOAD = "the right to upload in the channel (to that project)"
    ADMIN = "the right to administrate the channel"
    OPERATOR = "to be an operator of the registry"


_IN_CHANNEL = {
    Needs.READ: Action.READ,
    Needs.UPLOAD: Action.UPLOAD,
    Needs.ADMIN: Action.ADMIN,
}


def allowed(registry: Registry, actor: Actor, needs: Needs, words: Mapping[str, Any]) -> Actor:
    """The actor with the rights of this call. Raises Refused: 401 without a login, 403, 404."""
    with registry.database.read() as db:
        if actor.user is None and needs is not Needs.READ:
            raise Refused("no-token", "A token is needed for this", "send it as Bearer", 401)
        if access.is_operator(db, actor):
            actor = replace(actor, operator=True)
        if needs in _IN_CHANNEL:
            key = normalised(words["project"]) if words.get("project") else None
            reachable(db, actor, words["channel"], _IN_CHANNEL[needs], key)
        elif not actor.operator and not _is_right(db, actor, needs, words):
            raise Refused("forbidden", f"'{actor.name}' may not do this: it needs {needs}", "", 403)
    return actor


def _is_right(db: Connection, actor: Actor, needs: Needs, words: Mapping[str, Any]) -> bool:
    user = actor.user
    if needs is Needs.LOGIN:
        return True
    if user is None or (actor.token is not None and not actor.token.is_whole):
        return False
    if needs is Needs.SELF:
        return bool(user.name == words["user"])
    if needs is Needs.ORGANISATION:
        organisation = people.user_named(db, words["organisation"])
        if organisation is not None:
            role = people.role_in_organisation(db, organisation.id, user.id)
            return role is Action.ADMIN
    return False


def demand_operator(actor: Actor, what: str) -> None:
    """Raises Refused unless the actor looks after the whole registry."""
    if not actor.operator:
        hint = "ask an operator of the registry"
        raise Refused("forbidden", f"'{actor.name}' may not change the {what}", hint, 403)
