"""Private names, and which conda names a project's converted packages may use.

A private name is never served from an upstream: the channel holds a file of that name that did not
come from the upstream, or the name matches a private prefix. The channel's own records decide,
before anything is fetched.

A converted package may have another name than its project: `tables` is `pytables` in conda. The
permission to upload one project does not include publishing packages under another's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.admission import checks
from twofold.server.admission.checks import find_prefix
from twofold.server.auth import permissions
from twofold.server.context import Transaction
from twofold.server.model import Action, Actor, Channel, Project
from twofold.server.store import Connection, channels, projects, upstreams
from twofold.server.store.upstreams import PYPI, Upstream

#: A normalised name (PEP 503).
_KEY = re.compile(r"-?[a-z0-9][a-z0-9-]{0,127}")

#: A project's name, normalised (PEP 508): an index is asked for no other. `spam_` and `_spam` would
#: show it that there is a private `spam`.
_PROJECT_KEY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,126}[a-z0-9])?")

#: A name that is surely normalised: most of a channel's are, and the test is faster.
_NORMAL = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")

#: The most names that are looked up one by one; of more the channel's own names are read first.
MAX_LOOKED_UP = 500


def is_private(db: Connection, channel: Channel, name: str) -> bool:
    """Whether a name must never be served from any upstream, by our own records."""
    key = normalize_name(name)
    if find_prefix(key, channels.list_prefixes(db, channel.id)) is not None:
        return True
    return bool(projects.filter_local(db, channel.id, {name: key}))


def find_sources(db: Connection, channel: Channel, kind: str, name: str) -> list[Upstream]:
    """Return the upstreams that may be asked for a name, in their order; none if it is private.

    `name` is the project's, or the package's with a conda upstream; what is no name has no source.
    """
    key = normalize_name(name)
    if not (_PROJECT_KEY if kind == PYPI else _KEY).fullmatch(key):
        return []
    found = [one for one in upstreams.find_upstreams(db, channel.id, kind) if one.may_have(key)]
    return found if found and not is_private(db, channel, name) else []


def filter_withheld(
    db: Connection, channel: Channel, upstream: Upstream, names: Collection[str]
) -> set[str]:
    """Return which of many names this upstream is not asked for."""
    withheld = {name for name in names if not upstream.may_have(normalize_name(name))}
    return withheld | filter_private(db, channel, names)


def filter_private(db: Connection, channel: Channel, names: Iterable[str]) -> set[str]:
    """Return the private ones of many names, with as many queries for many as for one."""
    keys = {name: name if _NORMAL.fullmatch(name) else normalize_name(name) for name in names}
    reserved = channels.list_prefixes(db, channel.id) if keys else {}
    private = {name for name, key in keys.items() if reserved and find_prefix(key, reserved)}
    if len(keys) > MAX_LOOKED_UP:
        here = channels.list_names(db, channel.id)
        keys = {name: key for name, key in keys.items() if name in here or key in here}
    return private | projects.filter_local(db, channel.id, keys)


def conda_name_conflict(
    change: Transaction, actor: Actor, project: Project, name: str, is_fetched: bool
) -> str | None:
    """Return why packages of this project may not be named so; None when they may."""
    key = normalize_name(name)
    if key == project.key:
        return None
    db, channel = change.db, change.channel
    if is_fetched and _is_withheld(db, channel, name):
        return f"which is private in channel '{channel.name}'"
    for other in projects.list_other_projects_named(db, channel.id, project.id, name):
        if not permissions.is_allowed(db, actor, Action.UPLOAD, channel, other.key):
            return f"which '{other.name}' uses too: the upload lacks permission for it"
        try:
            checks.check_project_status(other.name, other.status)
        except Refused as error:
            return f"which '{other.name}' uses too: {error.problems[0].message}"
    return _prefix_conflict(change, actor, project, name)


def _is_withheld(db: Connection, channel: Channel, name: str) -> bool:
    """Whether a name is private in the channel, or never requested from one of its indexes."""
    every = upstreams.find_upstreams(db, channel.id, PYPI)
    prefixes = [prefix for one in every for prefix in one.prefixes]
    if find_prefix(normalize_name(name), prefixes) is not None:
        return True
    return bool(every) and is_private(db, channel, name)


def _prefix_conflict(change: Transaction, actor: Actor, project: Project, name: str) -> str | None:
    """Return the conflict with a private prefix (PEP 752) that the project's name lacks."""
    owners = channels.list_prefixes(change.db, change.channel.id)
    prefix = checks.find_prefix(normalize_name(name), owners)
    if prefix is None or project.conda_name == name:
        return None
    if checks.find_prefix(project.key, owners) == prefix:
        return None
    if permissions.can_use_prefix(change.db, actor, change.channel, owners[prefix]):
        return None
    return f"and names that begin with '{prefix}' are reserved in channel '{change.channel.name}'"
