"""Who somebody is here whom an issuer has identified, and the roles that its groups give them.

Known by issuer and subject alone. An account that was here before, of the name that the issuer
reports, is never taken over: its owner signs in and links it, or an operator does.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping
from typing import Any

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.auth.issuer_client import find_claim
from twofold.server.context import Registry
from twofold.server.model import Action, User
from twofold.server.pages import page_updates
from twofold.server.settings import IssuerSettings
from twofold.server.store import Connection, audit
from twofold.server.store import accounts as stored
from twofold.server.store.people import identities
from twofold.server.store.people.identities import Identity

log = logging.getLogger("twofold.server")

#: The most groups of one person that are looked at.
MAX_GROUPS = 2000


def sign_in(registry: Registry, settings: IssuerSettings, claims: Mapping[str, Any]) -> User:
    """Return the user of an identity, made where it is new, with the roles of its groups.

    Raises Refused: 403 for no account, 409 for a name that another account has.
    """
    with registry.database.serialized_write() as db:
        known = identities.find_identity(db, settings.url, claims["sub"])
        if known is None:
            user = _add_user(registry, db, settings, claims)
        else:
            found = stored.find_user_by_id(db, known.user_id)
            assert found is not None
            user = found
        if user.disabled:
            raise Refused("forbidden", f"The account '{user.name}' is closed", status=403)
        _set_roles(registry, db, settings, user, claims)
    return user


def _add_user(
    registry: Registry, db: Connection, settings: IssuerSettings, claims: Mapping[str, Any]
) -> User:
    if not settings.creates_accounts:
        hint = "ask an operator to link your identity to an account"
        raise Refused("no-account", "You have no account here", hint, 403)
    name = make_name(find_claim(claims, settings.user_claim))
    if stored.find_user(db, name) is not None:
        raise Refused(
            "account-exists",
            f"There is an account '{name}' here already",
            "sign in with its password, and link it on the page 'Your account'",
            409,
        )
    at = registry.clock()
    user = stored.add_user(db, name, at)
    identities.add_identity(db, Identity(settings.url, claims["sub"], user.id), at)
    detail = {"kind": "user", "issuer": settings.url, "subject": claims["sub"]}
    audit.add_entry(db, audit.AuditEntry(at, name, "user", "", name, detail))
    return user


def make_name(claim: object) -> str:
    """Make a user's name of a claim: `Ann.Lee@example.org` is `ann-lee`. Raises Refused (403)."""
    text = claim.partition("@")[0].lower() if isinstance(claim, str) else ""
    name = re.sub(r"[^a-z0-9_-]+", "-", text).strip("-_")[:64]
    if not accounts.is_name(name):
        hint = "ask an operator to make an account, and to link your identity to it"
        raise Refused("no-name", "The issuer reports no name that an account can have", hint, 403)
    return name


def _set_roles(
    registry: Registry,
    db: Connection,
    settings: IssuerSettings,
    user: User,
    claims: Mapping[str, Any],
) -> None:
    """Set the user's roles in the organisations of the setting to what the groups give."""
    if not settings.roles:
        return
    if "groups" in (claims.get("_claim_names") or {}):
        reason = "the identity token leaves out the groups: there are too many"
        log.warning(json.dumps({"failed": "groups", "user": user.name, "reason": reason}))
        return
    groups = _read_groups(claims, settings.groups_claim)
    for organisation in sorted({organisation for _, organisation, _ in settings.roles}):
        found = stored.find_user(db, organisation)
        if found is None or found.kind != "organisation":
            reason = f"there is no organisation '{organisation}'"
            log.warning(json.dumps({"failed": "groups", "user": user.name, "reason": reason}))
            continue
        given = [
            Action(role)
            for group, name, role in settings.roles
            if name == organisation and group in groups
        ]
        role = max(given, key=list(Action).index, default=None)
        if stored.get_member_role(db, found.id, user.id) == role:
            continue
        stored.set_member(db, found.id, user.id, role)
        page_updates.rerender_for_user(db, found.id)
        detail = {"role": role, "by": "groups of the issuer"}
        subject = f"{organisation}/{user.name}"
        entry = audit.AuditEntry(registry.clock(), user.name, "member", "", subject, detail)
        audit.add_entry(db, entry)


def _read_groups(claims: Mapping[str, Any], name: str) -> set[str]:
    found = find_claim(claims, name)
    if isinstance(found, str):
        return {found}
    if not isinstance(found, list):
        return set()
    return {one.removeprefix("/") for one in found[:MAX_GROUPS] if isinstance(one, str)}
