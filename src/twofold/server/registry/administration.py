"""What administrators do: rights, prefixes, a channel's rules, retention.

Called by `twofold admin` on the store itself, and by the management API once it has asked for the
right; `by` is the name that the audit log shows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server import access, tokens
from twofold.server.manner import base_url
from twofold.server.model import Action, Actor, Channel, Stored, Token, User
from twofold.server.registry import Registry, changing, listing_wheels, namespaces
from twofold.server.registry.people import user
from twofold.server.store import Connection, audit, channels, files, people
from twofold.server.store.audit import Change

#: Who acts when `twofold admin` is run on the store: may everything, is no user.
OPERATOR = Actor(operator=True)

#: What a quota, in bytes, and a rule's days are at most: as the management API has them.
MOST_BYTES, MOST_DAYS = 2**62, 100_000

_PREFIX = re.compile(r"(?=.{1,64}\Z)[a-z0-9]+(-[a-z0-9]+)*")

#: The rules a channel may have -> how their words are read.
RULES: Mapping[str, Callable[[str], Any]] = {
    "quota": lambda word: None if word == "none" else _at_least(word, 0),
    "deletion": lambda word: _one_of(word, ("upload", "admin", "never")),
    "public": lambda word: _one_of(word, ("yes", "no")) == "yes",
    "keep": lambda word: None if word == "none" else _at_least(word, 1),
    "keep-days": lambda word: None if word == "none" else _at_least(word, 0, MOST_DAYS),
    "base-url": base_url,
    "v3": lambda word: _one_of(word, ("yes", "no")) == "yes",
}


def _one_of(word: str, words: tuple[str, ...]) -> str:
    if word not in words:
        raise ValueError(f"one of {', '.join(words)}")
    return word


def _at_least(word: str, least: int, most: int = MOST_BYTES) -> int:
    is_number = word.isascii() and word.isdigit() and len(word) < 20
    if not is_number or not least <= int(word) <= most:
        raise ValueError(f"a whole number from {least} to {most}, or none")
    return int(word)


def channel_named(db: Connection, name: str) -> Channel:
    found = channels.channel_named(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found


def set_role(registry: Registry, by: str, channel: str, who: User, role: Action | None) -> None:
    """Give a user or organisation a role in a channel, or (None) take it away."""
    with registry.database.write_in_turn() as db:
        found = channel_named(db, channel)
        people.set_role(db, found.id, who.id, role)
        if prefixes := channels.prefixes_of(db, found.id):
            namespaces.show_again(db, found.id, prefixes)
        _note(registry, db, by, "role", channel, who.name, role=role)


def set_member(
    registry: Registry, by: str, organisation: User, who: User, role: Action | None
) -> None:
    """Let a user act for an organisation up to a role, or (None) no longer."""
    if organisation.kind != "organisation":
        name = organisation.name
        raise Refused("no-organisation", f"'{name}' is not an organisation", status=409)
    with registry.database.write_in_turn() as db:
        people.set_member(db, organisation.id, who.id, role)
        namespaces.show_rights_again(db, organisation.id)
        _note(registry, db, by, "member", "", f"{organisation.name}/{who.name}", role=role)


def reserve_prefix(
    registry: Registry, by: str, channel: str, prefix: str, owner: User | None
) -> None:
    """Names under a prefix (PEP 752) are its owner's to begin; None frees it.

    The pages of the projects that stand under it tell so from then on.
    """
    key = normalised(prefix.rstrip("-_.*"))
    if not _PREFIX.fullmatch(key):
        hint = "letters, digits and - between them, as in names of projects; at most 64"
        raise Refused("invalid-prefix", f"No names of projects begin with {prefix[:80]!a}", hint)
    with registry.database.write_in_turn() as db:
        found = channel_named(db, channel)
        channels.set_prefix(db, found.id, key, owner.id if owner else None)
        namespaces.show_again(db, found.id, [key])
        _note(registry, db, by, "prefix", channel, key, owner=owner.name if owner else None)


def change_rule(registry: Registry, by: str, channel: str, rule: str, word: str) -> None:
    """Set one of a channel's rules by its words: public, quota, deletion, keep, keep-days."""
    try:
        value = RULES[rule](word)
    except KeyError:
        raise Refused("unknown-rule", f"There is no rule '{rule}'", f"{', '.join(RULES)}") from None
    except ValueError as error:
        raise Refused("invalid-rule", f"'{word}' is no {rule}", str(error)) from None
    set_rules(registry, by, channel, {rule: value})


def set_rules(registry: Registry, by: str, channel: str, rules: Mapping[str, Any]) -> None:
    """Set rules of a channel to values that are right for them; None takes a limit away."""
    with registry.database.write_in_turn() as db:
        found = channels.take_turn(db, channel_named(db, channel).id)
        settings = {**found.settings, **rules}
        public = settings.pop("public", found.public)
        channels.change_channel(db, found.id, public=public, settings=settings)
        if "v3" in rules:
            listing_wheels.list_anew(db, found.id, registry.clock())
        for rule, value in rules.items():
            _note(registry, db, by, "rule", channel, rule, value=value)


def set_password(registry: Registry, by: str, who: User, password: str | None) -> None:
    with registry.database.write_in_turn() as db:
        people.set_password(db, who.id, tokens.password_hash(password) if password else None)
        _note(registry, db, by, "password", "", who.name)


def disable(registry: Registry, by: str, who: User) -> None:
    """The user's tokens and password stop working; what was uploaded stays.

    Nobody acts for an organisation that is closed.
    """
    with registry.database.write_in_turn() as db:
        people.disable_user(db, who.id, registry.clock())
        namespaces.show_rights_again(db, who.id)
        _note(registry, db, by, "disable", "", who.name)


def revoke_token(registry: Registry, by: str, who: str, shown: str | int) -> None:
    """Revoke the token of a user that is shown so (`twofold-AbCd...`), or has that id."""
    owner = user(registry, who)
    with registry.database.write_in_turn() as db:
        mine = [t for t in people.tokens_of(db, owner.id) if shown in (t.shown, t.id)]
        if not mine:
            raise Refused("not-found", f"'{who}' has no token {shown}", status=404)
        for token in mine:
            people.revoke_token(db, token.id, registry.clock())
            _note(registry, db, by, "revoke", "", token.shown)


def tokens_of(registry: Registry, who: User) -> list[Token]:
    """The user's tokens that are not revoked."""
    with registry.database.read() as db:
        return list(people.tokens_of(db, who.id))


def users(registry: Registry) -> list[User]:
    with registry.database.read() as db:
        return people.all_users(db)


def members(registry: Registry, organisation: User) -> dict[str, Action]:
    """Who acts for an organisation, and up to which role."""
    with registry.database.read() as db:
        return people.members_of(db, organisation.id)


def all_channels(registry: Registry) -> list[tuple[Channel, int, dict[str, Action]]]:
    """Every channel with its size in bytes and who has which role."""
    with registry.database.read() as db:
        return [
            (found, files.bytes_in(db, found.id), people.roles_of(db, found.id))
            for found in channels.all_channels(db)
        ]


def readable_channels(registry: Registry, actor: Actor) -> list[Channel]:
    """The channels that the actor may read."""
    with registry.database.read() as db:
        every = channels.all_channels(db)
        return [found for found in every if access.may(db, actor, Action.READ, found)]


@dataclass(frozen=True)
class ChannelDetail:
    """A channel as its administrators see it."""

    channel: Channel
    owner: str
    size: int
    roles: dict[str, Action]
    prefixes: dict[str, str]


def channel_detail(registry: Registry, name: str) -> ChannelDetail:
    """A channel, whose it is, its size in bytes, who has which role, whose its prefixes are."""
    with registry.database.read() as db:
        found = channel_named(db, name)
        names = {user.id: user.name for user in people.all_users(db)}
        prefixes = channels.prefixes_of(db, found.id)
        return ChannelDetail(
            found,
            names[found.owner_id],
            files.bytes_in(db, found.id),
            people.roles_of(db, found.id),
            {prefix: names[owner] for prefix, owner in prefixes.items()},
        )


@dataclass(frozen=True)
class Retention:
    """How many of a project's newest releases stay; the others go when older than `days`."""

    keep: int
    days: int = 0


def retention_of(registry: Registry, channel: str) -> Retention | None:
    """The channel's own rule (`keep`, `keep-days`), None when it has none."""
    with registry.database.read() as db:
        rules = channel_named(db, channel).settings
    keep = rules.get("keep")
    return Retention(keep, rules.get("keep-days") or 0) if keep else None


def retain(
    registry: Registry, actor: Actor, channel: str, rule: Retention, dry_run: bool = False
) -> list[Stored]:
    """Delete releases older than `days` of every project, but for its newest `keep`.

    Returns the files deleted (or that would be).
    """
    limit = registry.clock() - timedelta(days=rule.days)
    with registry.database.read() as db:
        found = channel_named(db, channel)
        due = {
            project.key: changing.beyond(files.files_of_project(db, project.id), rule.keep, limit)
            for project in channels.projects_of(db, found.id)
        }
    gone: list[Stored] = []
    for key, files_due in due.items():
        if files_due and not dry_run:
            gone += changing.delete_old(registry, actor, channel, key, rule.keep, limit)
        else:
            gone += files_due
    return gone


def _note(
    registry: Registry,
    db: Connection,
    by: str,
    action: str,
    channel: str,
    subject: str,
    **detail: Any,
) -> None:
    audit.note_change(db, Change(registry.clock(), by, action, channel, subject, detail))
