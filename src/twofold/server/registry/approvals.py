"""Names of an upstream that a reader asked for and an administrator granted.

They count where the upstream's policy asks for approval. Both lists are settings of the channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.context import Registry, Transaction, require_channel
from twofold.server.model import Action, Actor, to_text
from twofold.server.store import audit, channels

#: The most open requests of a channel, and the longest reason (characters).
MAX_REQUESTS, MAX_REASON = 1000, 500


@dataclass(frozen=True)
class ApprovalRequest:
    """A name that a reader asked for; `at` is ISO 8601 text in UTC."""

    project: str
    by: str
    at: str
    reason: str


def ask(registry: Registry, actor: Actor, channel: str, project: str, reason: str) -> None:
    """Ask for a project. Raises Refused."""
    key = _parse_name(project)
    with registry.database.serialized_write() as db:
        found = require_channel(db, actor, channel, Action.READ)
        if actor.user is None:
            raise Refused("no-login", "Log in to ask for a project", status=401)
        open_ = dict(found.settings.get("requests", {}))
        if key in found.settings.get("approved", []) or key in open_:
            return
        if len(open_) >= MAX_REQUESTS:
            raise Refused(
                "too-much-required", f"There are {MAX_REQUESTS} open requests", status=429
            )
        at = to_text(registry.clock())
        open_[key] = {"by": actor.name, "at": at, "reason": reason[:MAX_REASON]}
        channels.update_channel(db, found.id, settings={**found.settings, "requests": open_})
        note = audit.AuditEntry(registry.clock(), actor.name, "ask", channel, key)
        audit.add_entry(db, note)


def grant(registry: Registry, actor: Actor, channel: str, projects: Iterable[str]) -> None:
    """Grant projects, asked for or not. Raises Refused."""
    keys = {_parse_name(name) for name in projects}
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        granted = sorted(keys | set(change.channel.settings.get("approved", [])))
        _save(change, granted, keys)
        change.audit("approve", ", ".join(sorted(keys))[:500])


def withdraw(registry: Registry, actor: Actor, channel: str, projects: Iterable[str]) -> None:
    """Take back what was granted, and drop requests; what was fetched stays. Raises Refused."""
    keys = {_parse_name(name) for name in projects}
    with registry.transaction(actor, channel, Action.ADMIN) as change:
        granted = sorted(set(change.channel.settings.get("approved", [])) - keys)
        _save(change, granted, keys)
        change.audit("withdraw-approval", ", ".join(sorted(keys))[:500])


def _save(change: Transaction, granted: list[str], done: set[str]) -> None:
    settings = dict(change.channel.settings)
    open_ = {k: one for k, one in settings.get("requests", {}).items() if k not in done}
    settings |= {"approved": granted, "requests": open_}
    channels.update_channel(change.db, change.channel.id, settings=settings)


def list_requests(registry: Registry, actor: Actor, channel: str) -> list[ApprovalRequest]:
    """Return the open requests, the oldest first."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.ADMIN)
    every = [ApprovalRequest(key, **one) for key, one in found.settings.get("requests", {}).items()]
    return sorted(every, key=lambda one: (one.at, one.project))


def list_granted(registry: Registry, actor: Actor, channel: str) -> list[str]:
    """Return the granted names."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
    return list(found.settings.get("approved", []))


def _parse_name(text: str) -> str:
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise Refused("invalid-name", f"{text[:100]!a} is not a name of a project") from None
    if str(requirement) != requirement.name:
        raise Refused("invalid-name", f"{text[:100]!a} is more than a name of a project")
    return normalize_name(requirement.name)
