"""The gates that need the channel's records: may this project take files, is there room for them?

Publishing and promotion ask alike, so that no way into a channel is wider than the other.
"""

from __future__ import annotations

from collections.abc import Iterable

from twofold.server.admission import checks
from twofold.server.auth import permissions
from twofold.server.model import Project
from twofold.server.registry import Transaction
from twofold.server.store import channels, files


def check_new_project_name(change: Transaction, key: str) -> None:
    """A name that is new here looks like no other one and stands under nobody else's prefix."""
    checks.check_confusable_name(
        key, channels.list_confusable_projects(change.db, change.channel.id, key)
    )
    owners = channels.list_prefixes(change.db, change.channel.id)
    prefix = checks.find_prefix(key, owners)
    if prefix is not None:
        permissions.require_prefix(change.db, change.actor, change.channel, prefix, owners[prefix])


def check_project_open(project: Project) -> None:
    """An archived or quarantined project takes no files."""
    checks.check_project_status(project.name, project.status)


def check_quota(change: Transaction, sizes: Iterable[int]) -> None:
    """The channel's quota has room for so many bytes more."""
    quota = change.channel.settings.get("quota")
    if quota is not None:
        used = files.sum_sizes(change.db, change.channel.id)
        checks.check_quota(sum(sizes), used, quota)
