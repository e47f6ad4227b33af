"""Administration: roles, prefixes, channel rules, retention, and the audit log.

Called by `twofold admin` on the store itself, and by the management API after it has checked the
permission; `by` is the name shown in the audit log.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.admission.policy import ALLOWED_NAMES
from twofold.server.auth import permissions, tokens
from twofold.server.auth.accounts import get_user
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, Channel, Token, User
from twofold.server.pages import page_updates
from twofold.server.pages.channel_page_options import parse_base_url
from twofold.server.registry.undelete import UNDELETE_DAYS
from twofold.server.settings import MOST_BYTES, parse_size
from twofold.server.store import Connection, accounts, audit, channels, files, offers
from twofold.server.store.audit import AuditEntry as AuditEntry
from twofold.server.store.audit import AuditQuery as AuditQuery
from twofold.server.store.people import sessions

#: The actor of `twofold admin` on the store: has every permission, is not a user.
OPERATOR = Actor(operator=True)

#: The largest number of days of a rule, as in the management API.
MOST_DAYS = 100_000

_PROJECT = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PREFIX = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(-[a-z0-9]+)*")

#: Rules by which the records of offered projects are made: those are read again after a change.
OFFER_RULES = ("v3", "offered-releases")


def _parse_size(text: str) -> int | None:
    try:
        return None if text == "none" else parse_size(text)
    except ValueError as error:
        raise ValueError(f"{error}, or none") from error


#: Rule of a channel -> parser of its text.
RULES: Mapping[str, Callable[[str], Any]] = {
    "quota": _parse_size,
    "deletion": lambda word: _parse_choice(word, ("upload", "admin", "never")),
    "public": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
    "keep": lambda word: None if word == "none" else _parse_number(word, 1),
    "keep-days": lambda word: None if word == "none" else _parse_number(word, 0, MOST_DAYS),
    ALLOWED_NAMES: lambda word: [] if word == "none" else _parse_names(word),
    "keep-bytes": _parse_size,
    "keep-label-days": lambda word: {} if word == "none" else _parse_label_days(word),
    UNDELETE_DAYS: lambda word: None if word == "none" else _parse_number(word, 0, MOST_DAYS),
    "base-url": parse_base_url,
    "v3": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
    "redirect": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
    "lazy": lambda word: _parse_choice(word, ("yes", "no")) == "yes",
    "images": lambda word: _parse_choice(word, ("blocked", "proxied")),
    "prefer": lambda word: _parse_choice(word, ("conda-forge", "own")),
    "offered-releases": lambda word: _parse_number(word, 1, 100),
}


def _parse_names(text: str) -> list[str]:
    names = sorted({normalize_name(name) for name in text.split(",")})
    if not all(map(_PROJECT.fullmatch, names)):
        raise ValueError("names of projects, separated by commas, or none")
    return names


def _parse_choice(text: str, choices: tuple[str, ...]) -> str:
    if text not in choices:
        raise ValueError(f"one of {', '.join(choices)}")
    return text


def _parse_label_days(text: str) -> dict[str, int]:
    pairs = [part.partition("=")[::2] for part in text.split(",")]
    if not all(name.strip() for name, _ in pairs):
        raise ValueError("LABEL=DAYS, separated by commas, or none")
    return {name.strip(): _parse_number(days, 0, MOST_DAYS) for name, days in pairs}


def _parse_number(text: str, least: int, most: int = MOST_BYTES) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) < 20
    if not is_number or not least <= int(text) <= most:
        raise ValueError(f"a whole number from {least} to {most}, or none")
    return int(text)


def get_channel(db: Connection, name: str) -> Channel:
    """Return the channel of that name. Raises Refused (404)."""
    found = channels.find_channel(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found


def set_role(registry: Registry, by: str, channel: str, grantee: User, role: Action | None) -> None:
    """Grant a user or organisation a role in a channel, or (None) revoke it."""
    with registry.database.serialized_write() as db:
        found = get_channel(db, channel)
        accounts.set_role(db, found.id, grantee.id, role)
        if prefixes := channels.list_prefixes(db, found.id):
            page_updates.rerender_prefixes(db, found.id, prefixes)
        _audit(registry, db, by, "role", channel, grantee.name, role=role)


def set_member(
    registry: Registry, by: str, organisation: User, grantee: User, role: Action | None
) -> None:
    """Make a user a member of an organisation with a role, or (None) remove it."""
    if organisation.kind != "organisation":
        name = organisation.name
        raise Refused("no-organisation", f"'{name}' is not an organisation", status=409)
    if grantee.kind != "user":
        raise Refused("not-a-user", f"'{grantee.name}' is an organisation", "", 409)
    with registry.database.serialized_write() as db:
        accounts.set_member(db, organisation.id, grantee.id, role)
        page_updates.rerender_for_user(db, organisation.id)
        _audit(registry, db, by, "member", "", f"{organisation.name}/{grantee.name}", role=role)


def reserve_prefix(
    registry: Registry, by: str, channel: str, prefix: str, owner: User | None
) -> None:
    """Reserve a prefix of project names (PEP 752) for an owner; None releases it.

    The pages of the projects under the prefix show the change.
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
    """Set one of a channel's rules from text: public, quota, deletion, keep, keep-days."""
    try:
        value = RULES[rule](text)
    except KeyError:
        raise Refused("unknown-rule", f"There is no rule '{rule}'", f"{', '.join(RULES)}") from None
    except ValueError as error:
        message = f"'{text}' is not a valid value of {rule}"
        raise Refused("invalid-rule", message, str(error)) from None
    set_rules(registry, by, channel, {rule: value})


def set_rules(registry: Registry, by: str, channel: str, rules: Mapping[str, Any]) -> None:
    """Set rules of a channel to parsed values; None removes a limit."""
    with registry.database.serialized_write() as db:
        found = channels.lock_channel(db, get_channel(db, channel).id)
        settings = {**found.settings, **rules}
        public = settings.pop("public", found.public)
        channels.update_channel(db, found.id, public=public, settings=settings)
        if any(settings.get(rule) != found.settings.get(rule) for rule in OFFER_RULES):
            offers.expire_offers(db, found.id)
            registry.proxied_channels.offer_rounds.pop(found.id, None)
        for rule, value in rules.items():
            _audit(registry, db, by, "rule", channel, rule, value=value)


def set_password(registry: Registry, by: str, user: User, password: str | None) -> None:
    """Set a user's password, or (None) remove it; the user's sessions end."""
    with registry.database.serialized_write() as db:
        accounts.set_password(db, user.id, tokens.hash_password(password) if password else None)
        sessions.remove_sessions(db, user.id)
        _audit(registry, db, by, "password", "", user.name)


def disable_user(registry: Registry, by: str, user: User) -> None:
    """Disable a user: tokens and password stop working, uploaded files stay.

    Members of a disabled organisation lose its permissions.
    """
    with registry.database.serialized_write() as db:
        accounts.disable_user(db, user.id, registry.clock())
        sessions.remove_sessions(db, user.id)
        page_updates.rerender_for_user(db, user.id)
        _audit(registry, db, by, "disable", "", user.name)


def revoke_token(registry: Registry, by: str, username: str, shown: str | int) -> None:
    """Revoke a user's token by its shown prefix (`twofold-AbCd...`) or id."""
    owner = get_user(registry, username)
    with registry.database.serialized_write() as db:
        mine = [t for t in accounts.list_tokens(db, owner.id) if shown in (t.shown, t.id)]
        if not mine:
            raise Refused("not-found", f"'{username}' has no token {shown}", status=404)
        for token in mine:
            accounts.revoke_token(db, token.id, registry.clock())
            _audit(registry, db, by, "revoke", "", token.shown)


def list_tokens(registry: Registry, user: User) -> list[Token]:
    """Return the user's tokens that are not revoked."""
    with registry.database.read() as db:
        return list(accounts.list_tokens(db, user.id))


def list_users(registry: Registry) -> list[User]:
    """Return all users and organisations."""
    with registry.database.read() as db:
        return accounts.list_users(db)


def list_members(registry: Registry, organisation: User) -> dict[str, Action]:
    """Return the members of an organisation and their roles."""
    with registry.database.read() as db:
        return accounts.list_members(db, organisation.id)


def list_channels(registry: Registry) -> list[tuple[Channel, int, dict[str, Action]]]:
    """Return every channel with its size in bytes and its roles."""
    with registry.database.read() as db:
        return [
            (found, files.sum_sizes(db, found.id), accounts.list_channel_roles(db, found.id))
            for found in channels.list_channels(db)
        ]


def list_readable_channels(registry: Registry, actor: Actor) -> list[Channel]:
    """Return the channels that the actor may read."""
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
    """Return a channel with its owner, size in bytes, roles and prefixes."""
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


#: Characters that begin a formula in a spreadsheet.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def read_changes(registry: Registry, span: AuditQuery) -> list[AuditEntry]:
    """Return entries of the audit log, oldest first."""
    with registry.database.read() as db:
        return list(audit.list_entries(db, span))


def as_csv(changes: Iterable[AuditEntry]) -> str:
    """Format entries as CSV with a header; text like a spreadsheet formula gets a `'` prefix."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(["id", "at", "actor", "action", "channel", "subject", "detail"])
    for change in changes:
        detail = json.dumps(change.detail or {}, ensure_ascii=False)
        cells = change.actor, change.action, change.channel, change.subject, detail
        table.writerow([change.id, change.at.isoformat(), *map(_cell, cells)])
    return out.getvalue()


def _cell(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text
