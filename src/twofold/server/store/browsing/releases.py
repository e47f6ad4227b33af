"""The releases of a project without the metadata of their files, and which names a channel has."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select

from twofold.artifact import Kind
from twofold.server.model import StoredFile, from_text
from twofold.server.store.files import fetch_files
from twofold.server.store.schema import files, projects, users


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


def find_projects_named(db: Connection, channel_id: int, names: Collection[str]) -> dict[str, str]:
    """Return name -> normalised name of the project, for those that the channel has.

    A name is a project's normalised one or that of its conda package.
    """
    rows = db.execute(_NAMED, {"channel_id": channel_id, "names": list(names)}).all()
    keys = {row.key for row in rows}
    found = {row.conda_name: row.key for row in rows if row.conda_name in names}
    return {**found, **{name: name for name in names if name in keys}}


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
_NAMED = select(projects.c.key, projects.c.conda_name).where(
    projects.c.channel_id == bindparam("channel_id"),
    or_(
        projects.c.key.in_(bindparam("names", expanding=True)),
        projects.c.conda_name.in_(bindparam("names", expanding=True)),
    ),
)
