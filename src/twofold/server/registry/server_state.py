"""What an operator wants to see of a running registry: storage, work that waits, health."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from twofold.server.context import Registry
from twofold.server.store import channels, files, projects
from twofold.server.store.search import listings


@dataclass(frozen=True)
class ChannelState:
    """What a channel takes of the storage (bytes), and how many wheels wait for a conversion."""

    name: str
    public: bool
    size: int
    quota: int | None
    projects: int
    unconverted: int


@dataclass(frozen=True)
class ServerState:
    """`free` are the bytes that the spool's disk has left; `is_...` whether a store answers."""

    channels: list[ChannelState]
    free: int
    is_database_reachable: bool
    is_store_reachable: bool


def read_state(registry: Registry) -> ServerState:
    """Return the state of the registry, with its channels by name."""
    with registry.database.read() as db:
        found = [
            ChannelState(
                one.name,
                one.public,
                files.sum_sizes(db, one.id),
                one.settings.get("quota"),
                listings.count_listings(db, [one.id]),
                len(projects.list_unconverted_wheels(db, one.id)),
            )
            for one in channels.list_channels(db)
        ]
    registry.spool.mkdir(parents=True, exist_ok=True)
    return ServerState(
        sorted(found, key=lambda one: one.name),
        shutil.disk_usage(registry.spool).free,
        registry.database.is_reachable(),
        registry.blobs.is_reachable(),
    )
