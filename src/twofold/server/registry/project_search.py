"""Lists of projects: of one channel, or of all channels that the actor may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from twofold.names import normalize_name
from twofold.server.auth import permissions
from twofold.server.model import Action, Actor, Channel
from twofold.server.registry import Registry, require_channel
from twofold.server.store import channels
from twofold.server.store.project_search import ProjectSummary, search_projects

#: The most projects a search answers with.
MAX_HITS = 1000


@dataclass(frozen=True)
class SearchHit:
    """A project of a channel."""

    channel: Channel
    project: ProjectSummary


def list_channel_projects(
    registry: Registry, actor: Actor, channel: str, part: str = "", most: int = 10_000
) -> list[SearchHit]:
    """The projects of a channel that hold `part` in their name, at most `most`, by name."""
    key = normalize_name(part) if part.strip("-_.") else ""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        return [SearchHit(found, project) for project in search_projects(db, found.id, key, most)]


def search(registry: Registry, actor: Actor, part: str) -> list[SearchHit]:
    """The projects with this part in their name, in every channel the actor may read."""
    hits: list[SearchHit] = []
    key = normalize_name(part) if part.strip("-_.") else ""
    with registry.database.read() as db:
        for channel in channels.list_channels(db):
            if permissions.is_allowed(db, actor, Action.READ, channel):
                found = search_projects(db, channel.id, key, MAX_HITS - len(hits))
                hits += [SearchHit(channel, project) for project in found]
            if len(hits) >= MAX_HITS:
                break
    return hits


def sort_versions(versions: Iterable[str]) -> list[str]:
    """Oldest first by PEP 440; versions of the conda side that it cannot read come first."""
    return sorted(versions, key=_version_key)


def _version_key(version: str) -> tuple[int, Version, str]:
    try:
        return 1, Version(version), version
    except InvalidVersion:
        return 0, Version("0"), version
