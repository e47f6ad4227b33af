"""Identities of users at issuers (OpenID Connect): a pair of issuer and subject, never a name.

A name or a mail address that an issuer reports links nothing: a person who may choose one there
could take over the account of that name here.
"""

from __future__ import annotations

from twofold.errors import Refused
from twofold.server.context import Registry
from twofold.server.model import User
from twofold.server.store import audit
from twofold.server.store.people import identities as stored
from twofold.server.store.people.identities import Identity as Identity


def list_identities(registry: Registry, user: User) -> list[Identity]:
    """Return a user's identities."""
    with registry.database.read() as db:
        return stored.list_identities(db, user.id)


def link(registry: Registry, by: str, user: User, issuer: str, subject: str) -> None:
    """Link an identity to a user. Raises Refused (409) for one that has a user."""
    if user.kind != "user":
        raise Refused("not-a-user", f"'{user.name}' is an organisation", status=409)
    at = registry.clock()
    with registry.database.serialized_write() as db:
        known = stored.find_identity(db, issuer, subject)
        if known is not None and known.user_id == user.id:
            return
        if known is not None:
            text = "This identity belongs to another user"
            raise Refused("identity-exists", text, "unlink it there first", 409)
        stored.add_identity(db, Identity(issuer, subject, user.id), at)
        detail = {"issuer": issuer, "subject": subject}
        audit.add_entry(db, audit.AuditEntry(at, by, "link-identity", "", user.name, detail))


def unlink(registry: Registry, by: str, user: User, issuer: str) -> None:
    """Remove a user's identities at an issuer. Raises Refused (404)."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        if not stored.remove_identities(db, user.id, issuer):
            text = f"'{user.name}' has no identity at {issuer[:200]}"
            raise Refused("not-found", text, status=404)
        detail = {"issuer": issuer}
        audit.add_entry(db, audit.AuditEntry(at, by, "unlink-identity", "", user.name, detail))
