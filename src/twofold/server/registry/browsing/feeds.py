"""The newest releases, as feeds list them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from twofold.names import normalize_name
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel
from twofold.server.store import channels
from twofold.server.store.search import listings
from twofold.server.store.search.releases import (
    Release,
    list_newest_releases,
    list_project_releases,
)

#: Releases of a feed.
ENTRIES = 50


@dataclass(frozen=True, slots=True)
class Feed:
    """The newest releases of a channel, or of one project (its key; else ''), newest first.

    `updated_at` is the time of the last upload, without one that of the project; None for a channel
    without uploads.
    """

    channel: Channel
    project: str
    releases: list[Release]
    updated_at: datetime | None


def get_channel_feed(registry: Registry, actor: Actor, channel: str) -> Feed:
    """Return the newest releases of a channel. Raises Refused."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        releases = list_newest_releases(db, found.id, ENTRIES)
    return Feed(found, "", releases, releases[0].updated_at if releases else None)


def get_project_feed(registry: Registry, actor: Actor, channel: str, name: str) -> Feed:
    """Return the newest releases of a project. Raises Refused."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        project = channels.find_project(db, found.id, normalize_name(name))
        listing = listings.find_listing(db, project.id) if project is not None else None
        if listing is None:
            raise not_found(f"project '{name[:100]}' in channel '{channel}'")
        releases = list_project_releases(db, listing, ENTRIES)
    updated_at = releases[0].updated_at if releases else listing.uploaded_at
    return Feed(found, listing.key, releases, updated_at)
