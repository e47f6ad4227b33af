"""The releases of a project without the metadata of their files, and which names a channel has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, case, func, select

from twofold.artifact import Kind
from twofold.server.model import StoredFile, from_text
from twofold.server.store.files import fetch_files
from twofold.server.store.schema import files, labels, projects, users


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """A file that is not deleted; `yanked` as in `StoredFile`, `size` in bytes."""

    kind: Kind
    version: str
    size: int
    uploaded_at: datetime
    yanked: str | None


def list_release_files(db: Connection, project_id: int) -> list[ReleaseFile]:
    """List the files of a project in upload order."""
    return [
        ReleaseFile(Kind(row.kind), row.version, row.size, from_text(row.uploaded_at), row.yanked)
        for row in db.execute(_FILES, {"project_id": project_id})
    ]


def list_files_of_version(db: Connection, project_id: int, version: str) -> list[StoredFile]:
    """List the files of a release in upload order."""
    return fetch_files(db, _OF_VERSION, {"project_id": project_id, "version": version})


def list_all_filenames(db: Connection, project_id: int) -> set[str]:
    """Return the names of a project's files, deleted ones too."""
    query = select(files.c.filename).where(files.c.project_id == project_id)
    return set(db.execute(query).scalars())


def find_projects_named(
    db: Connection, channel_id: int, names: Collection[str], subdirs: Collection[str]
) -> dict[str, str]:
    """Return name -> normalised name of the project, for those that the channel has.

    A name is a project's normalised one, or that of a conda package in one of the subdirs.
    """
    values = {"channel_id": channel_id, "names": list(names)}
    found = {name: name for name in db.execute(_BY_KEY, values).scalars()}
    missing = [name for name in names if name not in found]
    if missing and subdirs:
        values = {"channel_id": channel_id, "names": missing, "subdirs": list(subdirs)}
        found.update((row.name, row.key) for row in db.execute(_BY_PACKAGE, values))
    return found


@dataclass(frozen=True, slots=True)
class LabelledRelease:
    """A release of which files are under a label; `at` is the newest upload among them."""

    key: str
    name: str
    summary: str
    version: str
    at: datetime
    for_pip: bool
    for_conda: bool


def list_labelled_releases(
    db: Connection, channel_id: int, label: str, start: int, count: int
) -> list[LabelledRelease]:
    """List the releases under a label from `start` on, by project, the newest upload first."""
    values = {"channel_id": channel_id, "label": label, "start": start, "count": count}
    return [
        LabelledRelease(
            row.key,
            row.name,
            row.summary,
            row.version,
            from_text(row.at),
            bool(row.python),
            bool(row.conda),
        )
        for row in db.execute(_LABELLED, values)
    ]


def count_labelled_releases(db: Connection, channel_id: int, label: str) -> int:
    """Return the number of releases under a label."""
    values = {"channel_id": channel_id, "label": label}
    return int(db.execute(_COUNT_LABELLED, values).scalar_one())


def find_user_names(db: Connection, ids: Collection[int]) -> dict[int, str]:
    """Return id -> name of users."""
    query = select(users.c.id, users.c.name).where(users.c.id.in_(list(ids)))
    return {row.id: row.name for row in db.execute(query)}


_MINE = (files.c.project_id == bindparam("project_id"), files.c.deleted_at.is_(None))
_FILES = (
    select(files.c.kind, files.c.version, files.c.size, files.c.uploaded_at, files.c.yanked)
    .where(*_MINE)
    .order_by(files.c.id)
)
_OF_VERSION = (
    select(files).where(*_MINE, files.c.version == bindparam("version")).order_by(files.c.id)
)
_UNDER_LABEL = (
    labels.c.channel_id == bindparam("channel_id"),
    labels.c.label == bindparam("label"),
    files.c.deleted_at.is_(None),
)
_IS_PYTHON = case((files.c.subdir == "", 1), else_=0)
_LABELLED = (
    select(
        projects.c.key,
        projects.c.name,
        projects.c.summary,
        files.c.version,
        func.max(files.c.uploaded_at).label("at"),
        func.max(_IS_PYTHON).label("python"),
        func.max(1 - _IS_PYTHON).label("conda"),
    )
    .select_from(labels)
    .join(files, files.c.id == labels.c.file_id)
    .join(projects, projects.c.id == files.c.project_id)
    .where(*_UNDER_LABEL)
    .group_by(projects.c.key, projects.c.name, projects.c.summary, files.c.version)
    .order_by(projects.c.key, func.max(files.c.uploaded_at).desc(), files.c.version)
    .limit(bindparam("count"))
    .offset(bindparam("start"))
)
_COUNT_LABELLED = select(func.count()).select_from(
    select(files.c.project_id, files.c.version)
    .select_from(labels)
    .join(files, files.c.id == labels.c.file_id)
    .where(*_UNDER_LABEL)
    .distinct()
    .subquery()
)
_BY_KEY = select(projects.c.key).where(
    projects.c.channel_id == bindparam("channel_id"),
    projects.c.key.in_(bindparam("names", expanding=True)),
)
# By the index of the files: projects have none of their conda names.
_BY_PACKAGE = (
    select(files.c.name, projects.c.key)
    .join(projects, projects.c.id == files.c.project_id)
    .where(
        files.c.channel_id == bindparam("channel_id"),
        files.c.subdir.in_(bindparam("subdirs", expanding=True)),
        files.c.name.in_(bindparam("names", expanding=True)),
        files.c.deleted_at.is_(None),
    )
    .distinct()
)
