"""Lists of projects: of one channel, or of all channels that the actor may read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.version import InvalidVersion, Version

from twofold.names import normalised
from twofold.server import access
from twofold.server.model import Action, Actor, Channel
from twofold.server.registry import Registry, reachable
from twofold.server.store import channels
from twofold.server.store.summaries import Summary, summaries

#: The most projects a search answers with.
MOST = 1000


@dataclass(frozen=True)
class Hit:
    """A project of a channel."""

    channel: Channel
    project: Summary


def projects_in(
    registry: Registry, actor: Actor, channel: str, part: str = "", most: int = 10_000
) -> list[Hit]:
    """The projects of a channel that hold `part` in their name, at most `most`, by name."""
    key = normalised(part) if part.strip("-_.") else ""
    with registry.database.read() as db:
        found = reachable(db, actor, channel, Action.READ)
        return [Hit(found, project) for project in summaries(db, found.id, key, most)]


def search(registry: Registry, actor: Actor, part: str) -> list[Hit]:
    """The projects with this part in their name, in every channel the actor may read."""
    hits: list[Hit] = []
    key = normalised(part) if part.strip("-_.") else ""
    with registry.database.read() as db:
        for channel in channels.all_channels(db):
            if access.may(db, actor, Action.READ, channel):
                found = summaries(db, channel.id, key, MOST - len(hits))
                hits += [Hit(channel, project) for project in found]
            if len(hits) >= MOST:
                break
    return hits


def in_order(versions: Iterable[str]) -> list[str]:
    """Oldest first by PEP 440; versions of the conda side that it cannot read come first."""
    return sorted(versions, key=_order)


def _order(version: str) -> tuple[int, Version, str]:
    try:
        return 1, Version(version), version
    except InvalidVersion:
        return 0, Version("0"), version
