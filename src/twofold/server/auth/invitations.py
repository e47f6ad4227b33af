"""Invitations: a link that gives its reader, once, a role in a channel or an organisation.

The registry sends no mail: who invites passes the link on. Its secret is shown once.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from twofold.errors import Refused
from twofold.server.auth import accounts, tokens
from twofold.server.auth.sessions import hash_secret
from twofold.server.context import Registry
from twofold.server.model import Action, User
from twofold.server.pages import page_updates
from twofold.server.store import Connection, audit, channels
from twofold.server.store import accounts as stored_accounts
from twofold.server.store.people import invitations as stored
from twofold.server.store.people.invitations import Invitation as Invitation

#: Days for which an invitation can be taken, unless it says otherwise, and at most.
DAYS, MAX_DAYS = 7, 90

#: The most open invitations of a channel or an organisation.
MAX_INVITATIONS = 200


@dataclass(frozen=True)
class InvitationTarget:
    """Where the role is given: a channel, or else an organisation."""

    channel: str = ""
    organisation: str = ""

    def find_ids(self, db: Connection) -> tuple[int | None, int | None]:
        """Return the channel's id, and the organisation's. Raises Refused (404, 409)."""
        if self.channel:
            channel = channels.find_channel(db, self.channel)
            if channel is None:
                raise Refused("no-channel", f"There is no channel '{self.channel}'", status=404)
            return channel.id, None
        found = stored_accounts.find_user(db, self.organisation)
        if found is None:
            raise Refused("no-user", f"There is no user '{self.organisation}'", status=404)
        if found.kind != "organisation":
            text = f"'{found.name}' is not an organisation"
            raise Refused("no-organisation", text, status=409)
        return None, found.id


def invite(
    registry: Registry, by: str, target: InvitationTarget, role: Action, days: int = DAYS
) -> tuple[str, Invitation]:
    """Make an invitation; return its secret and itself. Raises Refused (404, 409)."""
    secret, at = secrets.token_urlsafe(24), registry.clock()
    with registry.database.serialized_write() as db:
        ids = target.find_ids(db)
        known = [one for one in stored.list_invitations(db, *ids) if one.expires_at > at]
        if len(known) >= MAX_INVITATIONS:
            text = f"There are {MAX_INVITATIONS} open invitations"
            raise Refused("too-many-invitations", text, "withdraw one first", 409)
        new = Invitation(0, role, by, at, at + timedelta(days=days), *ids)
        added = stored.add_invitation(db, new, hash_secret(secret))
        detail = {"role": role, "id": added}
        entry = audit.AuditEntry(at, by, "invite", target.channel, target.organisation, detail)
        audit.add_entry(db, entry)
    made = Invitation(added, role, by, at, new.expires_at, *ids)
    return secret, made


def list_invitations(registry: Registry, target: InvitationTarget) -> list[Invitation]:
    """Return the open invitations, the oldest first. Raises Refused (404, 409)."""
    with registry.database.read() as db:
        found = stored.list_invitations(db, *target.find_ids(db))
    at = registry.clock()
    return [one for one in found if one.expires_at > at]


def withdraw(registry: Registry, by: str, target: InvitationTarget, invitation_id: int) -> None:
    """Withdraw an invitation. Raises Refused (404)."""
    with registry.database.serialized_write() as db:
        mine = stored.list_invitations(db, *target.find_ids(db))
        if invitation_id not in {one.id for one in mine}:
            raise Refused("not-found", f"There is no invitation {invitation_id}", status=404)
        stored.remove_invitation(db, invitation_id)
        entry = audit.AuditEntry(
            registry.clock(),
            by,
            "withdraw-invitation",
            target.channel,
            target.organisation,
            {"id": invitation_id},
        )
        audit.add_entry(db, entry)


def describe(registry: Registry, secret: str) -> tuple[Invitation, str]:
    """Return an open invitation, and what it is to. Raises Refused (404)."""
    with registry.database.read() as db:
        found = _find_open(db, secret, registry.clock())
        return found, _describe_target(db, found)


def accept(registry: Registry, user: User, secret: str) -> str:
    """Take an invitation; return what it is to. A higher role is kept. Raises Refused (404)."""
    with registry.database.serialized_write() as db:
        return _accept(registry, db, user, secret)


def accept_as_new(registry: Registry, secret: str, name: str, password: str) -> User:
    """Create the account of an invited person, and accept the invitation. Raises Refused.

    In one transaction: of two who take it at once, the second gets neither account nor role.
    """
    describe(registry, secret)  # hashing a password costs; not for an invitation that is gone
    hashed = tokens.hash_password(password)
    with registry.database.serialized_write() as db:
        at = registry.clock()
        found = _find_open(db, secret, at)
        added = accounts.create_user(db, found.invited_by, name, at, hashed)
        _accept(registry, db, added, secret)
    return added


def _accept(registry: Registry, db: Connection, user: User, secret: str) -> str:
    at = registry.clock()
    found = _find_open(db, secret, at)
    stored.remove_invitation(db, found.id)
    target = _describe_target(db, found)
    channel = ""
    if found.channel_id is not None:
        channel = channels.get_channel(db, found.channel_id).name
        roles = stored_accounts.list_channel_roles(db, found.channel_id)
        if not _covers(roles.get(user.name), found.role):
            stored_accounts.set_role(db, found.channel_id, user.id, found.role)
            if prefixes := channels.list_prefixes(db, found.channel_id):
                page_updates.rerender_prefixes(db, found.channel_id, prefixes)
    else:
        assert found.organisation_id is not None
        present = stored_accounts.get_organisation_role(db, found.organisation_id, user.id)
        if not _covers(present, found.role):
            stored_accounts.set_member(db, found.organisation_id, user.id, found.role)
            page_updates.rerender_for_user(db, found.organisation_id)
    detail = {"role": found.role, "invited_by": found.invited_by, "to": target}
    entry = audit.AuditEntry(at, user.name, "accept-invitation", channel, user.name, detail)
    audit.add_entry(db, entry)
    return target


def _covers(present: Action | None, role: Action) -> bool:
    return present is not None and present.includes(role)


def _find_open(db: Connection, secret: str, at: datetime) -> Invitation:
    found = stored.find_invitation(db, hash_secret(secret))
    if found is None or found.expires_at <= at:
        text = "This invitation was used, withdrawn, or has expired"
        raise Refused("no-invitation", text, "ask for a new one", 404)
    return found


def _describe_target(db: Connection, found: Invitation) -> str:
    if found.channel_id is not None:
        return f"channel {channels.get_channel(db, found.channel_id).name}"
    assert found.organisation_id is not None
    organisation = stored_accounts.find_user_by_id(db, found.organisation_id)
    assert organisation is not None
    return f"organisation {organisation.name}"
