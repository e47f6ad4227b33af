"""Downloads and storage of a project or a channel, for those who may read it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from twofold.names import normalize_name
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Project
from twofold.server.store import channels, files
from twofold.server.store.numbers import download_counts
from twofold.server.store.numbers.download_counts import RETENTION_DAYS, DayCount

#: Days that are shown unless others are asked for.
DEFAULT_DAYS = 30


@dataclass(frozen=True, slots=True)
class Day:
    """The downloads of a day from each side."""

    day: str
    pip: int
    conda: int

    @property
    def total(self) -> int:
        """The downloads from both sides."""
        return self.pip + self.conda


@dataclass(frozen=True, slots=True)
class Downloads:
    """Downloads of the last days, each day once, oldest first; today's are not complete.

    `versions` and `clients` add up the same days, the most downloaded first; `versions` is empty
    for a channel. `total` is of all times, None for a channel.
    """

    days: tuple[Day, ...]
    versions: tuple[tuple[str, int], ...]
    clients: tuple[tuple[str, int], ...]
    total: int | None

    @property
    def count(self) -> int:
        """The downloads of these days."""
        return sum(day.total for day in self.days)


@dataclass(frozen=True, slots=True)
class ProjectDownloads:
    """A project's downloads: of the last days, by file id, and the bytes that it takes."""

    channel: Channel
    project: Project
    downloads: Downloads
    by_file: dict[int, int]
    size: int


def get_project_downloads(
    registry: Registry, actor: Actor, channel: str, name: str, days: int = DEFAULT_DAYS
) -> ProjectDownloads:
    """Return a project's downloads of the last days. Raises Refused."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        project = channels.find_project(db, found.id, normalize_name(name))
        if project is None or project.status == "quarantined":
            raise not_found(f"project '{name[:100]}' in channel '{channel}'")
        first = _list_days(registry, days)
        counts = download_counts.list_project_days(db, project.id, first[0])
        by_file = download_counts.count_by_file(db, project.id)
        size = download_counts.sum_project_sizes(db, project.id)
    downloads = _add_up(first, counts, sum(by_file.values()))
    return ProjectDownloads(found, project, downloads, by_file, size)


def get_channel_downloads(
    registry: Registry, actor: Actor, channel: str, days: int = DEFAULT_DAYS
) -> tuple[Channel, Downloads]:
    """Return a channel and its downloads of the last days. Raises Refused."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        first = _list_days(registry, days)
        counts = download_counts.list_channel_days(db, found.id, first[0])
    return found, _add_up(first, counts, None)


def _list_days(registry: Registry, days: int) -> list[str]:
    today = registry.clock().date()
    count = min(max(days, 1), RETENTION_DAYS)
    return [(today - timedelta(back)).isoformat() for back in reversed(range(count))]


def _add_up(days: list[str], counts: list[DayCount], total: int | None) -> Downloads:
    of_days: Counter[tuple[str, str]] = Counter()
    versions: Counter[str] = Counter()
    clients: Counter[str] = Counter()
    for one in counts:
        of_days[one.day, one.world] += one.count
        clients[one.client] += one.count
        if one.version:
            versions[one.version] += one.count
    shown = tuple(Day(day, of_days[day, "pip"], of_days[day, "conda"]) for day in days)
    return Downloads(shown, tuple(_rank(versions)), tuple(_rank(clients)), total)


def _rank(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, slots=True)
class ProjectStorage:
    """A project and the bytes of its files."""

    key: str
    size: int


@dataclass(frozen=True, slots=True)
class ChannelStorage:
    """The bytes of a channel's files, its quota (None: none), and its largest projects."""

    channel: Channel
    size: int
    quota: int | None
    largest: tuple[ProjectStorage, ...]


def measure_storage(
    registry: Registry, actor: Actor, channel: str, most: int = 20
) -> ChannelStorage:
    """Return what takes how much room in a channel. Raises Refused; for its administrators.

    It reads the sizes of all the channel's files: for a page that is asked for now and then.
    """
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.ADMIN)
        largest = [
            ProjectStorage(channels.get_project(db, project_id).key, size)
            for project_id, size in download_counts.list_largest_projects(db, found.id, most)
        ]
        quota = found.settings.get("quota")
        return ChannelStorage(found, files.sum_sizes(db, found.id), quota, tuple(largest))
