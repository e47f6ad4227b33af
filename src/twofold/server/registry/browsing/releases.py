"""A project's releases as people read them: their history, one release whole, who is linked."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from twofold.names import normalize_name
from twofold.names.version_order import is_prerelease, sort_newest_first
from twofold.server.context import Registry, not_found
from twofold.server.model import Channel, Project, StoredFile
from twofold.server.proxy.fetch import has_upstream
from twofold.server.store import files as files_store
from twofold.server.store.browsing import releases
from twofold.server.store.browsing.releases import LabelledRelease, ReleaseFile
from twofold.server.store.search import find
from twofold.server.store.search.listings import Listing
from twofold.server.store.upstreams import CONDA, PYPI


@dataclass(frozen=True, slots=True)
class Release:
    """A release in a project's history. `at` is its first upload; `size` is of all files, in bytes.

    `yanked` is the reason where every file is yanked ('' for none given), else None. `is_pre`: pip
    skips it unless asked for; conda has no pre-releases.
    """

    version: str
    at: datetime
    is_pre: bool
    yanked: str | None
    for_pip: bool
    for_conda: bool
    count: int
    size: int


def list_history(registry: Registry, project: Project) -> list[Release]:
    """List the releases of a project, the newest first and pre-releases last."""
    with registry.database.read() as db:
        found = releases.list_release_files(db, project.id)
    by_version: dict[str, list[ReleaseFile]] = {}
    for file in found:
        by_version.setdefault(file.version, []).append(file)
    python = {file.version for file in found if not file.kind.is_conda}
    order = sort_newest_first(python, by_version.keys())
    return [_summarize(version, by_version[version], version in python) for version in order]


def _summarize(version: str, files: Sequence[ReleaseFile], for_pip: bool) -> Release:
    reasons = [file.yanked for file in files]
    yanked = None if None in reasons else next((reason for reason in reasons if reason), "")
    return Release(
        version,
        min(file.uploaded_at for file in files),
        for_pip and is_prerelease(version),
        yanked,
        for_pip,
        any(file.kind.is_conda for file in files),
        len(files),
        sum(file.size for file in files),
    )


def choose_newest(history: Sequence[Release]) -> Release | None:
    """Return the newest release that is not yanked, else the newest; None without any."""
    offered = [release for release in history if release.yanked is None]
    return next(iter(offered or history), None)


def list_files(registry: Registry, project: Project, version: str) -> list[StoredFile]:
    """List the files of a release in upload order."""
    with registry.database.read() as db:
        return releases.list_files_of_version(db, project.id, version)


#: Releases on a page of a label.
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True)
class LabelPage:
    """A page of a label's releases. `number` and `page_count` count from 1."""

    releases: list[LabelledRelease]
    total: int
    number: int

    @property
    def page_count(self) -> int:
        """The number of pages, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


def list_labelled(registry: Registry, channel: Channel, label: str, number: int) -> LabelPage:
    """Return a page of the releases under a label. Raises Refused (404) for an unknown label."""
    with registry.database.read() as db:
        if label not in files_store.list_labels(db, channel.id):
            raise not_found(f"label '{label[:100]}' in channel '{channel.name}'")
        total = releases.count_labelled_releases(db, channel.id, label)
        start = (number - 1) * PAGE_SIZE
        found = releases.list_labelled_releases(db, channel.id, label, start, PAGE_SIZE)
    return LabelPage(found, total, number)


@dataclass(frozen=True, slots=True)
class LinkedNames:
    """Which names have a page in a channel: `local` maps them to projects.

    With an upstream on a side, every name of that side may have one.
    """

    local: dict[str, str]
    pip_upstream: bool
    conda_upstream: bool

    def find_key(self, name: str, is_conda: bool) -> str:
        """Return the project's name in the page's address; '' where there is no page."""
        key = self.local.get(name) or self.local.get(normalize_name(name), "")
        return key or (normalize_name(name) if self.pip_upstream and not is_conda else "")


#: The dependents that a page names; there may be more.
MAX_DEPENDENTS = 30


def find_dependents(
    registry: Registry, channel: Channel, project: Project
) -> tuple[list[Listing], int]:
    """Return projects of the channel that require this one, and how many there are."""
    names = {project.key, normalize_name(project.conda_name or project.key)}
    with registry.database.read() as db:
        return find.find_dependents(db, channel.id, names, MAX_DEPENDENTS)


def find_upstream_sides(registry: Registry, channel: Channel) -> tuple[bool, bool]:
    """Return whether a channel has an upstream for pip, and one for conda."""
    pip, conda = (has_upstream(registry, channel.name, kind) for kind in (PYPI, CONDA))
    return pip, conda


def find_linked(
    registry: Registry, channel: Channel, names: Collection[str], subdirs: Collection[str]
) -> LinkedNames:
    """Return which of these names have a page in a channel; packages of conda in the subdirs."""
    wanted = {*names, *map(normalize_name, names)}
    with registry.database.read() as db:
        local = releases.find_projects_named(db, channel.id, wanted, subdirs)
    return LinkedNames(local, *find_upstream_sides(registry, channel))
