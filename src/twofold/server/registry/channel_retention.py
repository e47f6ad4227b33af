"""Retention of a channel: what its rule, or a given one, deletes of every project."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from twofold.server.context import Registry
from twofold.server.model import Actor, StoredFile
from twofold.server.registry import lifecycle
from twofold.server.registry.administration import get_channel
from twofold.server.registry.maintenance import REPORT_EVERY, Progress, ignore_progress
from twofold.server.registry.retention import beyond_retention, beyond_size
from twofold.server.store import channels, files


@dataclass(frozen=True)
class Retention:
    """Keep a project's newest `keep` releases, and others until older than `days`.

    A rule of days alone never deletes the newest release. `label` limits it to the files under this
    label alone. `max_bytes` deletes the oldest releases until the channel is no larger; the newest
    `keep` stay.
    """

    keep: int = 1
    days: int = 0
    label: str = ""
    max_bytes: int | None = None


def parse_retention(
    keep: int | None, days: int | None, label: str | None, max_bytes: int | None
) -> Retention | None:
    """Return the rule given by a caller, or None when all its parts are None.

    Of the files under a label alone, none is kept by default.
    """
    if (keep, days, label, max_bytes) == (None, None, None, None):
        return None
    default = 0 if label else 1
    return Retention(default if keep is None else keep, days or 0, label or "", max_bytes)


def list_retentions(registry: Registry, channel: str) -> list[Retention]:
    """Return all rules of a channel: its own, one for each label with days, that of its size."""
    with registry.database.read() as db:
        rules = get_channel(db, channel).settings
    keep, days = rules.get("keep"), rules.get("keep-days")
    by_label = sorted(rules.get("keep-label-days", {}).items())
    found = [Retention(0, age, label) for label, age in by_label]
    if keep or days is not None:
        found.append(Retention(keep or 1, days or 0))
    if rules.get("keep-bytes") is not None:
        found.append(Retention(keep or 1, max_bytes=rules["keep-bytes"]))
    return found


def apply_retentions(
    registry: Registry,
    actor: Actor,
    channel: str,
    rules: Iterable[Retention],
    dry_run: bool = False,
    progress: Progress = ignore_progress,
) -> list[StoredFile]:
    """Apply several rules in turn; returns each file that is (or would be) deleted once."""
    gone: dict[int, StoredFile] = {}
    for rule in rules:
        found = apply_channel_retention(registry, actor, channel, rule, dry_run, progress)
        gone = {file.id: file for file in found} | gone
    return list(gone.values())


def apply_channel_retention(
    registry: Registry,
    actor: Actor,
    channel: str,
    rule: Retention,
    dry_run: bool = False,
    progress: Progress = ignore_progress,
) -> list[StoredFile]:
    """Delete releases older than `days` of every project, but for its newest `keep`.

    Each project is a transaction: after an interruption another run does what is left. Returns the
    files deleted (or that would be).
    """
    limit = registry.clock() - timedelta(days=rule.days)
    with registry.database.read() as db:
        found = get_channel(db, channel)
        every = {
            project.key: files.list_project_files(db, project.id)
            for project in channels.list_projects(db, found.id)
        }
        size = files.sum_sizes(db, found.id)

    def choose(mine: Sequence[StoredFile]) -> list[StoredFile]:
        if rule.max_bytes is None:
            return beyond_retention(mine, rule.keep, limit, rule.label)
        may_go = beyond_retention(mine, rule.keep, registry.clock() + timedelta(days=1))
        return [file for file in may_go if file.id in oldest]

    oldest: set[int] = set()
    if rule.max_bytes is not None and size > rule.max_bytes:
        due = beyond_size(every.values(), rule.keep, size - rule.max_bytes)
        oldest = {file.id for file in due}
    gone: list[StoredFile] = []
    for number, (key, mine) in enumerate(every.items()):
        if number and number % REPORT_EVERY == 0:
            progress(f"{channel}: {number} of {len(every)} projects, {len(gone)} files go")
        chosen = choose(mine)
        if chosen and not dry_run:  # chosen again under the channel's lock
            gone += lifecycle.apply_retention(registry, actor, channel, key, choose)
        else:
            gone += chosen
    return gone
