"""Projects and releases in the database, and their names."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, bindparam, delete, func, or_, select, tuple_

from twofold.artifact import Artifact, Kind
from twofold.names import normalize_name, requirement_name
from twofold.names.version_order import sort_versions
from twofold.server.model import Channel, Project, StoredFile
from twofold.server.store.channels import get_channel, get_project
from twofold.server.store.files import find_file_by_id
from twofold.server.store.schema import descriptions, files, projects, upstream_pins
from twofold.server.store.search.listings import Listing
from twofold.server.store.tables.inserts import insert_missing


def required_names(artifact: Artifact) -> set[str]:
    """Return the normalised names of a wheel and its requirements."""
    required = filter(None, map(requirement_name, artifact.depends))
    return {normalize_name(artifact.name), *map(normalize_name, required)}


def list_other_projects_named(
    db: Connection, channel_id: int, project_id: int, name: str
) -> list[Project]:
    """List other projects of a channel with this name, as project name or as conda name."""
    query = select(projects.c.id).where(
        projects.c.channel_id == channel_id,
        projects.c.id != project_id,
        or_(projects.c.conda_name == name, projects.c.key == normalize_name(name)),
    )
    return [get_project(db, found) for found in db.execute(query.order_by(projects.c.id)).scalars()]


def list_unconverted_wheels(db: Connection, channel_id: int) -> dict[int, tuple[str, ...]]:
    """Return id -> requirements of the wheels without a conda package. Uses a partial index."""
    rows = db.execute(_UNCONVERTED, {"channel_id": channel_id})
    return {row.id: tuple(json.loads(row.depends)) for row in rows}


_UNCONVERTED = select(files.c.id, files.c.depends).where(
    files.c.channel_id == bindparam("channel_id"),
    files.c.remark.is_not(None),
    files.c.kind == Kind.WHEEL.value,
    files.c.deleted_at.is_(None),
)


def list_wheels_with_remark(
    db: Connection, remark: str, sha256: str | None
) -> list[tuple[Channel, StoredFile]]:
    """List the wheels with this remark (and these bytes), oldest first, each with its channel."""
    query = select(files.c.id, files.c.channel_id).where(
        files.c.remark == remark,
        files.c.kind == Kind.WHEEL.value,
        files.c.deleted_at.is_(None),
    )
    if sha256 is not None:
        query = query.where(files.c.sha256 == sha256)
    rows = db.execute(query.order_by(files.c.id)).all()
    found = [(get_channel(db, row.channel_id), find_file_by_id(db, row.id)) for row in rows]
    return [(channel, file) for channel, file in found if file is not None]


def list_pure_wheels(db: Connection, channel_id: int) -> list[int]:
    """List the ids of a channel's pure wheels."""
    query = select(files.c.id).where(
        files.c.channel_id == channel_id,
        files.c.kind == Kind.WHEEL.value,
        files.c.tags.contains("py3-none-any"),
        files.c.deleted_at.is_(None),
    )
    return list(db.execute(query).scalars())


def find_descriptions(
    db: Connection, keys: Iterable[tuple[int, str]]
) -> dict[tuple[int, str], str | None]:
    """Return (project id, SHA-256 of metadata) -> HTML; None where it is shown as text."""
    key = tuple_(descriptions.c.project_id, descriptions.c.metadata_sha256)
    query = select(descriptions).where(key.in_(list(keys)))
    return {(row.project_id, row.metadata_sha256): row.html for row in db.execute(query)}


def save_descriptions(db: Connection, rendered: Mapping[tuple[int, str], str | None]) -> None:
    """Store rendered descriptions; those that are stored stay."""
    rows = [
        {"project_id": project_id, "metadata_sha256": sha256, "html": html}
        for (project_id, sha256), html in sorted(rendered.items(), key=lambda item: item[0])
    ]
    insert_missing(db, descriptions, rows)


def delete_descriptions(db: Connection, project_id: int, needed: Iterable[str]) -> None:
    """Delete a project's descriptions but for those of these metadata (SHA-256)."""
    mine = descriptions.c.project_id == project_id
    stored = set(db.execute(select(descriptions.c.metadata_sha256).where(mine)).scalars())
    for sha256 in stored.difference(needed):
        db.execute(delete(descriptions).where(mine, descriptions.c.metadata_sha256 == sha256))


@dataclass
class ProjectSummary:
    """A project with the kinds, versions, subdirs and builds of its files.

    `python_versions` has those of `versions` that are on the PyPI side.
    """

    key: str
    name: str
    summary: str
    kinds: set[Kind] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    python_versions: set[str] = field(default_factory=set)
    subdirs: set[str] = field(default_factory=set)
    builds: set[str] = field(default_factory=set)

    @property
    def versions_oldest_first(self) -> list[str]:
        """Its versions in order."""
        return sort_versions(self.python_versions, self.versions)


_KINDS = {kind.value: kind for kind in Kind}


def summarize_projects(db: Connection, listed: Iterable[Listing]) -> list[ProjectSummary]:
    """Return listed projects with what their files are, in the same order."""
    found = {one.project_id: ProjectSummary(one.key, one.name, one.summary) for one in listed}
    ids = list(found)
    for start in range(0, len(ids), 500):
        values = {"ids": ids[start : start + 500]}
        for project_id, kind, version, subdir, build in db.execute(_CONTENTS, values).all():
            one = found[project_id]
            one.kinds.add(_KINDS[kind])
            one.versions.add(version)
            if not subdir:
                one.python_versions.add(version)
            one.subdirs.add(subdir)
            one.builds.add(build)
    for one in found.values():
        one.subdirs.discard("")
        one.builds.discard("")
    return list(found.values())


# `ix_files_contents` has all of these columns, so that no row with its metadata is read.
_CONTENTS = (
    select(
        files.c.project_id,
        files.c.kind,
        files.c.version,
        files.c.subdir,
        files.c.build,
    )
    .where(
        files.c.project_id.in_(bindparam("ids", expanding=True)),
        files.c.deleted_at.is_(None),
    )
    .distinct()
)


def list_local_files(db: Connection, channel_id: int, subdir: str) -> dict[str, set[str]]:
    """Return package name -> its filenames in a subdir of this channel, including deleted ones."""
    query = select(files.c.name, files.c.filename).where(
        files.c.channel_id == channel_id, files.c.subdir == subdir
    )
    found: dict[str, set[str]] = {}
    for row in db.execute(query):
        found.setdefault(row.name, set()).add(row.filename)
    return found


#: The most names of one statement.
_MAX_NAMES = 500


def filter_local(db: Connection, channel_id: int, names: Mapping[str, str]) -> set[str]:
    """Return which names are local: not only from the upstream. `names` maps each to its key.

    That is a project of that name, or with that conda name, which has a file, deleted or not,
    that was not fetched from the upstream, or which has no file at all.
    """
    found: set[str] = set()
    every = sorted(names)
    for start in range(0, len(every), _MAX_NAMES):
        part = {name: names[name] for name in every[start : start + _MAX_NAMES]}
        found |= _filter_local(db, channel_id, part)
    return found


def _filter_local(db: Connection, channel_id: int, names: Mapping[str, str]) -> set[str]:
    values = {"channel_id": channel_id, "keys": list(names.values()), "names": list(names)}
    rows = db.execute(_LOCAL_PROJECTS, values).all()
    keys, conda_names = {row.key for row in rows}, {row.conda_name for row in rows}
    return {name for name, key in names.items() if key in keys or name in conda_names}


def is_begun_here(db: Connection, project_id: int) -> bool:
    """Return whether a project is the channel's own and not deleted.

    It has a file that is neither deleted nor fetched from the upstream, or it was described and
    never had a file.
    """
    if db.execute(_OWN_FILES, {"project_id": project_id}).first() is not None:
        return True
    return db.execute(select(files.c.id).where(files.c.project_id == project_id)).first() is None


def _select_local_files() -> Select[Any]:
    """Select the files that were not fetched from the upstream.

    A fetched file has a requested pin with the same hash; a converted package has the origin of
    its wheel.
    """
    root = files.alias("root")
    source = root.c.id == func.coalesce(files.c.made_from, files.c.id)
    pinned = (
        (upstream_pins.c.channel_id == root.c.channel_id)
        & (upstream_pins.c.subdir == root.c.subdir)
        & (upstream_pins.c.filename == root.c.filename)
        & (upstream_pins.c.sha256 == root.c.sha256)
        & upstream_pins.c.wanted
    )
    query = select(files.c.id).join(root, source).outerjoin(upstream_pins, pinned)
    return query.where(upstream_pins.c.filename.is_(None))


# Built once, as they are run for every upload.
_OWN_FILES = (
    _select_local_files()
    .where(files.c.project_id == bindparam("project_id"), files.c.deleted_at.is_(None))
    .limit(1)
)
_OF_PROJECT = files.c.project_id == projects.c.id
_LOCAL_PROJECTS = select(projects.c.key, projects.c.conda_name).where(
    projects.c.channel_id == bindparam("channel_id"),
    projects.c.key.in_(bindparam("keys", expanding=True))
    | projects.c.conda_name.in_(bindparam("names", expanding=True)),
    ~select(files.c.id).where(_OF_PROJECT).exists()
    | _select_local_files().where(_OF_PROJECT).correlate(projects).exists(),
)


def find_first_file(db: Connection, project_id: int) -> StoredFile | None:
    """Return the file that a project began with, also a deleted one."""
    first = db.execute(
        select(func.min(files.c.id)).where(files.c.project_id == project_id)
    ).scalar()
    return find_file_by_id(db, first) if first is not None else None


def get_version(db: Connection, channel_id: int, filename: str) -> str:
    """Return the version of a file of the PyPI side."""
    values = {"channel_id": channel_id, "filename": filename}
    return str(db.execute(_VERSION, values).scalar_one())


_VERSION = select(files.c.version).where(
    files.c.channel_id == bindparam("channel_id"),
    files.c.subdir == "",
    files.c.filename == bindparam("filename"),
)
