"""What administrators do: rights, prefixes, a channel's rules, retention.

Called by `twofold admin` on the store itself, and by the management API once it has asked for the
right; `by` is the name that the audit log shows.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import permissions, tokens
from twofold.server.auth.accounts import get_user
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, Channel, StoredFile, Token, User
from twofold.server.pages import page_updates
from twofold.server.pages.channel_page_options import parse_base_url
from twofold.server.registry import lifecycle
from twofold.server.store import Connection, accounts, audit, channels, files
from twofold.server.store.audit import AuditEntry as AuditEntry
from twofold.server.store.audit import AuditQuery as AuditQuery

#: Who acts when `twofold admin` is run on the store: may everything, is no user.
OPERATOR = Actor(operator=True)

#: What a quota, in bytes, and a rule's days are at most: as the management API has them.
MOST_BYTES, MOST_DAYS = 2**62, 100_000

_PREFIX = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(-[a-z0-9]+)*")

#: The rules a channel may have -> how their words are read.
RULES: Mapping[str, Callable[[str], Any]] = {
    "quota": lambda word: None if word == "none" else _parse_number(word, 0),
    "deletion": lambda word: _parse_choice(word, ("upload", "admin", "never")),
    "public": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
    "keep": lambda word: None if word == "none" else _parse_number(word, 1),
    "keep-days": lambda word: None if word == "none" else _parse_number(word, 0, MOST_DAYS),
    "base-url": parse_base_url,
    "v3": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
}


def _parse_choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"one of {', '.join(choices)}")
    return text


def _parse_number(text: str, least: int, most: int = MOST_BYTES) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not least <= int(text) <= most:
        raise ValueError(f"a whole number from {least} to {most}, or none")
    return int(text)


def get_channel(db: Connection, name: str) -> Channel:
    found = channels.find_channel(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found


def set_role(registry: Registry, by: str, channel: str, grantee: User, role: Action | None) -> None:
    """Give a user or organisation a role in a channel, or (None) take it away."""
    with registry.database.serialized_write() as db:
        found = get_channel(db, channel)
        accounts.set_role(db, found.id, grantee.id, role)
        if prefixes := channels.list_prefixes(db, found.id):
            page_updates.rerender_prefixes(db, found.id, prefixes)
        _audit(registry, db, by, "role", channel, grantee.name, role=role)


def set_member(
    registry: Registry, by: str, organisation: User, grantee: User, role: Action | None
) -> None:
    """Let a user act for an organisation up to a role, or (None) no longer."""
    if organisation.kind != "organisation":
        name = organisation.name
        raise Refused("no-organisation", f"'{name}' is not an organisation", status=409)
    with registry.database.serialized_write() as db:
        accounts.set_member(db, organisation.id, grantee.id, role)
        page_updates.rerender_for_user(db, organisation.id)
        _audit(registry, db, by, "member", "", f"{organisation.name}/{grantee.name}", role=role)


def reserve_prefix(
    registry: Registry, by: str, channel: str, prefix: str, owner: User | None
) -> None:
    """Names under a prefix (PEP 752) are its owner's to begin; None frees it.

    The pages of the projects that stand under it tell so from then on.
    """
    key = normalize_name(prefix.rstrip("-_.*"))
    if not _PREFIX.fullmatch(key):
        hint = "letters, digits and - between them, as in names of projects; at most 64"
        raise Refused("invalid-prefix", f"No names of projects begin with {prefix[:80]!a}", hint)
    with registry.database.serialized_write() as db:
        found = get_channel(db, channel)
        channels.set_prefix(db, found.id, key, owner.id if owner else None)
        page_updates.rerender_prefixes(db, found.id, [key])
        _audit(registry, db, by, "prefix", channel, key, owner=owner.name if owner else None)


def change_rule(registry: Registry, by: str, channel: str, rule: str, text: str) -> None:
    """Set one of a channel's rules by its words: public, quota, deletion, keep, keep-days."""
    try:
        value = RULES[rule](text)
    except KeyError:
        raise Refused("unknown-rule", f"There is no rule '{rule}'", f"{', '.join(RULES)}") from None
    except ValueError as error:
        raise Refused("invalid-rule", f"'{text}' is no {rule}", str(error)) from None
    set_rules(registry, by, channel, {rule: value})


def set_rules(registry: Registry, by: str, channel: str, rules: Mapping[str, Any]) -> None:
    """Set rules of a channel to values that are right for them; None takes a limit away."""
    with registry.database.serialized_write() as db:
        found = channels.lock_channel(db, get_channel(db, channel).id)
        settings = {**found.settings, **rules}
        public = settings.pop("public", found.public)
        channels.update_channel(db, found.id, public=public, settings=settings)
        if "v3" in rules:
            page_updates.rerender_wheel_shards(db, found.id, registry.clock())
        for rule, value in rules.items():
            _audit(registry, db, by, "rule", channel, rule, value=value)


def set_password(registry: Registry, by: str, user: User, password: str | None) -> None:
    with registry.database.serialized_write() as db:
        accounts.set_password(db, user.id, tokens.hash_password(password) if password else None)
        _audit(registry, db, by, "password", "", user.name)


def disable_user(registry: Registry, by: str, user: User) -> None:
    """The user's tokens and password stop working; what was uploaded stays.

    Nobody acts for an organisation that is closed.
    """
    with registry.database.serialized_write() as db:
        accounts.disable_user(db, user.id, registry.clock())
        page_updates.rerender_for_user(db, user.id)
        _audit(registry, db, by, "disable", "", user.name)


def revoke_token(registry: Registry, by: str, username: str, shown: str | int) -> None:
    """Revoke the token of a user that is shown so (`twofold-AbCd...`), or has that id."""
    owner = get_user(registry, username)
    with registry.database.serialized_write() as db:
        mine = [t for t in accounts.list_tokens(db, owner.id) if shown in (t.shown, t.id)]
        if not mine:
            raise Refused("not-found", f"'{username}' has no token {shown}", status=404)
        for token in mine:
            accounts.revoke_token(db, token.id, registry.clock())
            _audit(registry, db, by, "revoke", "", token.shown)


def list_tokens(registry: Registry, user: User) -> list[Token]:
    """The user's tokens that are not revoked."""
    with registry.database.read() as db:
        return list(accounts.list_tokens(db, user.id))


def list_users(registry: Registry) -> list[User]:
    with registry.database.read() as db:
        return accounts.list_users(db)


def list_members(registry: Registry, organisation: User) -> dict[str, Action]:
    """Who acts for an organisation, and up to which role."""
    with registry.database.read() as db:
        return accounts.list_members(db, organisation.id)


def list_channels(registry: Registry) -> list[tuple[Channel, int, dict[str, Action]]]:
    """Every channel with its size in bytes and who has which role."""
    with registry.database.read() as db:
        return [
            (found, files.sum_sizes(db, found.id), accounts.list_channel_roles(db, found.id))
            for found in channels.list_channels(db)
        ]


def list_readable_channels(registry: Registry, actor: Actor) -> list[Channel]:
    """The channels that the actor may read."""
    with registry.database.read() as db:
        every = channels.list_channels(db)
        return [found for found in every if permissions.is_allowed(db, actor, Action.READ, found)]


@dataclass(frozen=True)
class ChannelDetail:
    """A channel as its administrators see it."""

    channel: Channel
    owner: str
    size: int
    roles: dict[str, Action]
    prefixes: dict[str, str]


def get_channel_detail(registry: Registry, name: str) -> ChannelDetail:
    """A channel, whose it is, its size in bytes, who has which role, whose its prefixes are."""
    with registry.database.read() as db:
        found = get_channel(db, name)
        names = {user.id: user.name for user in accounts.list_users(db)}
        prefixes = channels.list_prefixes(db, found.id)
        return ChannelDetail(
            found,
            names[found.owner_id],
            files.sum_sizes(db, found.id),
            accounts.list_channel_roles(db, found.id),
            {prefix: names[owner] for prefix, owner in prefixes.items()},
        )


@dataclass(frozen=True)
class Retention:
    """How many of a project's newest releases stay; the others go when older than `days`."""

    keep: int
    days: int = 0


def get_retention(registry: Registry, channel: str) -> Retention | None:
    """The channel's own rule (`keep`, `keep-days`), None when it has none."""
    with registry.database.read() as db:
        rules = get_channel(db, channel).settings
    keep = rules.get("keep")
    return Retention(keep, rules.get("keep-days") or 0) if keep else None


def apply_channel_retention(
    registry: Registry, actor: Actor, channel: str, rule: Retention, dry_run: bool = False
) -> list[StoredFile]:
    """Delete releases older than `days` of every project, but for its newest `keep`.

    Returns the files deleted (or that would be).
    """
    limit = registry.clock() - timedelta(days=rule.days)
    with registry.database.read() as db:
        found = get_channel(db, channel)
        due = {
            project.key: lifecycle.beyond_retention(
                files.list_project_files(db, project.id), rule.keep, limit
            )
            for project in channels.list_projects(db, found.id)
        }
    gone: list[StoredFile] = []
    for key, files_due in due.items():
        if files_due and not dry_run:
            gone += lifecycle.apply_retention(registry, actor, channel, key, rule.keep, limit)
        else:
            gone += files_due
    return gone


def _audit(
    registry: Registry,
    db: Connection,
    by: str,
    action: str,
    channel: str,
    subject: str,
    **detail: Any,
) -> None:
    audit.add_entry(db, AuditEntry(registry.clock(), by, action, channel, subject, detail))


#: What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read_changes(registry: Registry, span: AuditQuery) -> list[AuditEntry]:
    """Lines of the audit log, oldest first."""
    with registry.database.read() as db:
        return list(audit.list_entries(db, span))


def as_csv(changes: Iterable[AuditEntry]) -> str:
    """A table with a head. Text that a spreadsheet would run as a formula begins with `'`."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", "at", "actor", "action", "channel", "subject", "detail"])
    for change in changes:
        detail = json.dumps(change.detail or {}, ensure_ascii=False)
        told = change.actor, change.action, change.channel, change.subject, detail
        table.writerow([change.id, change.at.isoformat(), *map(_cell, told)])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
