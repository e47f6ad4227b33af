"""The gates that need the channel's records: may this project take files, is there room for them?

Publishing and promotion ask alike, so that no way into a channel is wider than the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from twofold.server import access, gates
from twofold.server.model import Project
from twofold.server.registry import Change
from twofold.server.store import channels, files


def may_begin(change: Change, key: str) -> None:
    """A name that is new here looks like no other one and stands under nobody else's prefix."""
    gates.name_is_distinct(key, channels.projects_like(change.db, change.channel.id, key))
    owners = channels.prefixes_of(change.db, change.channel.id)
    prefix = gates.prefix_of(key, owners)
    if prefix is not None:
        access.demand_prefix(change.db, change.actor, change.channel, prefix, owners[prefix])


def may_grow(project: Project) -> None:
    """An archived or quarantined project takes no files."""
    gates.takes_files(project.name, project.status)


def have_room(change: Change, sizes: Iterable[int]) -> None:
    """The channel's quota has room for so many bytes more."""
    quota = change.channel.settings.get("quota")
    if quota is not None:
        used = files.bytes_in(change.db, change.channel.id)
        gates.fits_quota(sum(sizes), used, quota)
