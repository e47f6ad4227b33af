"""What people and programs read of a project on both sides: stored files, and the upstream's."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.errors import Refused, Unreachable
from twofold.names import normalize_name
from twofold.names.version_order import sort_newest_first
from twofold.server.admission.names import filter_private, find_sources
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel, View
from twofold.server.pages.page_updates import MAIN
from twofold.server.pages.project_json import ReleaseFile, describe_stored
from twofold.server.proxy import (
    conda_listings,
    metadata_cache,
    offered_wheels,
    remote_files,
    upstream_simple,
)
from twofold.server.proxy.fetch import FileRequest, find_fetchable, find_refusals, has_upstream
from twofold.server.proxy.metadata_cache import CONDA, PYPI
from twofold.server.proxy.remote_files import RemoteFile, RemoteProject
from twofold.server.proxy.upstream_simple import QUARANTINED
from twofold.server.registry import administration
from twofold.server.registry.browsing.search import (
    MAX_HITS,
    SearchHit,
    SearchQuery,
    search_with_versions,
)
from twofold.server.store import Connection, channels, files, offers, upstream_cache
from twofold.server.store.browsing.releases import list_all_filenames
from twofold.server.store.projects import ProjectSummary

log = logging.getLogger("twofold.server")

#: The most names that a search finds in the upstreams.
MAX_FOUND = 100

#: The last time of a record that is shown (milliseconds): the year 9999.
MAX_TIMESTAMP = 253_402_300_799_000


@dataclass(frozen=True)
class RemoteListing:
    """A file of an upstream that nobody fetched; `refused` is why it is not served, or ''.

    `subdir` is that of a conda package, '' on the PyPI side.
    """

    filename: str
    version: str
    sha256: str
    url: str
    size: int | None
    uploaded: str
    yanked: str | None
    refused: str
    subdir: str = ""


def list_release_files(registry: Registry, view: View, name: str, base: str) -> list[ReleaseFile]:
    """Return a project's files for the JSON API, stored and fetchable ones; none if unknown.

    Their URLs are below `base`. A quarantined project offers nothing. What is not served is yanked
    with its reason, as on the project's page.
    """
    key = normalize_name(name)
    with registry.database.read() as db:
        channel = require_channel(db, view.actor, view.channel, Action.READ)
    remote, failure, refused = RemoteProject(), None, dict[str, str]()
    if view.label == MAIN:
        try:
            remote, upstream = metadata_cache.find_project(registry, channel, key)
            if upstream is not None:
                refused = find_refusals(registry, channel, upstream, key, remote.files)
        except Unreachable as error:
            failure = error
    with registry.database.read() as db:
        project = channels.find_project(db, channel.id, key)
        own = files.list_project_files(db, project.id, deleted=True) if project else []
    if project is not None and project.status == QUARANTINED:
        return []
    found = [
        describe_stored(file, base)
        for file in own
        if not file.kind.is_conda and file.deleted_at is None
    ]
    if failure is not None and not found:
        raise failure
    known = {file.filename for file in own}
    return found + [
        upstream_simple.to_release_file(file, base, refused.get(file.filename))
        for file in remote.files
        if file.filename not in known
    ]


def with_metadata(
    registry: Registry, view: View, listed: list[ReleaseFile], version: str
) -> list[ReleaseFile]:
    """Add the METADATA of an upstream's wheel of this release, where it has some (PEP 658)."""
    mine = [file for file in listed if file.version == version]
    if any(file.metadata is not None for file in mine):
        return listed
    for file in mine:
        wanted = FileRequest(view.channel, "", file.entry["filename"])
        try:
            found = find_fetchable(registry, view.actor, wanted)
            body = found and metadata_cache.cached_wheel_metadata(
                registry, found.channel, found.upstream, found.pin
            )
        except (Unreachable, Refused) as error:
            log.warning("no metadata of %s: %s", file.entry["filename"], error)
            continue
        if body:
            return [replace(file, metadata=body), *(one for one in listed if one is not file)]
    return listed


def list_remote(
    registry: Registry, view: View, name: str
) -> tuple[list[RemoteListing], RemoteProject]:
    """Return the upstream's files of a project that the channel lacks, the newest release first.

    While the upstream is down there are none.
    """
    key = normalize_name(name)
    with registry.database.read() as db:
        channel = require_channel(db, view.actor, view.channel, Action.READ)
        project = channels.find_project(db, channel.id, key)
    if project is not None and project.status == QUARANTINED:
        return [], RemoteProject()
    packages = conda_listings.list_packages(registry, channel, name)
    listed = [_describe_package(subdir, file) for subdir, file in packages]
    try:
        remote, upstream = metadata_cache.find_project(registry, channel, key)
    except (Unreachable, Refused) as error:
        log.warning("the upstream of %s was not read for %s: %s", channel.name, key, error)
        return _sort_newest_first(listed), RemoteProject()
    if upstream is None:
        return _sort_newest_first(listed), remote
    refused = find_refusals(registry, channel, upstream, key, remote.files)
    known: set[str] = set()
    if project is not None:
        with registry.database.read() as db:
            known = list_all_filenames(db, project.id)
    listed += [
        _describe(file, refused.get(file.filename, ""))
        for file in remote.files
        if file.filename not in known
    ]
    return _sort_newest_first(listed), remote


def _sort_newest_first(listed: list[RemoteListing]) -> list[RemoteListing]:
    newest_first = sort_newest_first({one.version for one in listed}, ())
    order = {version: place for place, version in enumerate(newest_first)}
    return sorted(listed, key=lambda one: (order[one.version], one.filename))


def _describe_package(subdir: str, file: RemoteFile) -> RemoteListing:
    size, at = file.entry.get("size"), file.entry.get("timestamp")
    return RemoteListing(
        file.filename,
        str(file.entry["version"]),
        file.sha256,
        f"{subdir}/{quote(file.filename)}",
        size if isinstance(size, int) else None,
        _format_time(at) if type(at) is int and 0 < at < MAX_TIMESTAMP else "",
        None,
        "",
        subdir,
    )


def _format_time(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000, UTC):%Y-%m-%d %H:%M}"


def _describe(file: RemoteFile, refused: str) -> RemoteListing:
    yanked, size = file.entry.get("yanked", False), file.entry.get("size")
    return RemoteListing(
        file.filename,
        upstream_simple.find_version(file.filename),
        file.sha256,
        f"files/{file.sha256}/{quote(file.filename)}",
        size if isinstance(size, int) else None,
        str(file.entry.get("upload-time") or "")[:16].replace("T", " "),
        yanked if isinstance(yanked, str) else "" if yanked else None,
        refused,
    )


def search(registry: Registry, actor: Actor, query: SearchQuery) -> list[SearchHit]:
    """Return the projects that match in all readable channels, those of upstreams last."""
    hits = search_with_versions(registry, actor, query)
    for channel in administration.list_readable_channels(registry, actor):
        kinds = [kind for kind in (PYPI, CONDA) if has_upstream(registry, channel.name, kind)]
        if len(hits) < MAX_HITS and kinds:
            names = search_remote(registry, View(actor, channel.name), query.text)
            found = [SearchHit(channel, ProjectSummary(name, name, "")) for name in names]
            hits += found[: MAX_HITS - len(hits)]
    text, packages = normalize_name(query.text.strip()), dict[int, dict[str, set[str]]]()
    with registry.database.read() as db:
        for hit in hits:
            if has_upstream(registry, hit.channel.name, PYPI):
                _add_remote(db, hit)
            if has_upstream(registry, hit.channel.name, CONDA):
                if hit.channel.id not in packages:
                    found_in = conda_listings.search_packages(db, hit.channel, text)
                    packages[hit.channel.id] = found_in
                subdirs = packages[hit.channel.id].get(hit.project.name, ())
                hit.project.subdirs.update(subdirs)
    return hits


def _add_remote(db: Connection, hit: SearchHit) -> None:
    """Add what is cached of the upstream's files to a project that was found."""
    one, channel = hit.project, hit.channel
    sources = find_sources(db, channel, PYPI, one.key)
    project = channels.find_project(db, channel.id, one.key)
    if not sources or (project is not None and project.status == QUARANTINED):
        return
    names: list[str] = []
    for upstream in sources:
        cached = upstream_cache.cached_response(db, upstream, one.key)
        remote = remote_files.deserialize(cached.body).files if cached else ()
        names += [file.filename for file in remote]
        if names:
            break
    offered = offers.read_wheels(db, channel.id, one.key)
    for wheel in offered_wheels.unpack(offered).wheels if offered else ():
        names.append(wheel.filename)
        one.subdirs.update(subdir for subdir, _, _ in wheel.packages)
    for filename in names:
        version = upstream_simple.find_version(filename)
        one.kinds.add(Kind.WHEEL if filename.endswith(".whl") else Kind.SDIST)
        one.versions.add(version)
        one.python_versions.add(version)


def search_remote(registry: Registry, view: View, text: str) -> list[str]:
    """Return names of upstream projects that the channel lacks: known ones, and one named exactly.

    An index cannot be searched, so these are the projects that somebody asked for; of conda
    upstreams those of the indexes that clients read.
    """
    key = normalize_name(text.strip())
    with registry.database.read() as db:
        channel = require_channel(db, view.actor, view.channel, Action.READ)
        found = set(upstream_cache.search_projects(db, channel.id, key, MAX_FOUND))
        found |= {one for one in offers.list_keys(db, channel.id) if key in one}
        here = {key, *found} & channels.list_names(db, channel.id)
        own = {one for one in here if channels.find_project(db, channel.id, one) is not None}
        found -= filter_private(db, channel, found) | own
        packages = conda_listings.search_packages(db, channel, key) if key else {}
        named = {normalize_name(name) for name in packages}
        here = channels.list_names(db, channel.id)
        found |= {name for name in packages if not {name, normalize_name(name)} & here}
    if key and key not in own | found | named and _is_upstream(registry, channel, key):
        found.add(key)
    return sorted(found, key=lambda one: (one != key, one))[:MAX_FOUND]


def _is_upstream(registry: Registry, channel: Channel, key: str) -> bool:
    try:
        remote, _ = metadata_cache.find_project(registry, channel, key)
    except (Unreachable, Refused) as error:
        log.warning("the upstream of %s was not read for %s: %s", channel.name, key, error)
        return False
    return bool(remote.files)
