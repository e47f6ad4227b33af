"""What a project's files say about a project as a whole, without their metadata."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, select

from twofold.artifact import Kind
from twofold.server.model import StoredFile, to_text
from twofold.server.store.schema import channels, files, labels, projects


@dataclass(frozen=True, slots=True)
class FileFacts:
    """A file that is not deleted. `tags`, `depends` and `labels` as in `StoredFile`."""

    id: int
    kind: Kind
    name: str
    version: str
    subdir: str
    uploaded_at: str
    is_yanked: bool
    requires_python: str
    tags: tuple[str, ...]
    depends: tuple[str, ...]
    labels: frozenset[str]
    is_converted: bool

    @classmethod
    def of(cls, file: StoredFile) -> FileFacts:
        """Return those of a file that is being added."""
        return cls(
            file.id,
            file.kind,
            file.name,
            file.version,
            file.subdir,
            to_text(file.uploaded_at),
            file.yanked is not None,
            file.requires_python or "",
            file.tags,
            file.depends,
            file.labels,
            file.made_from is not None,
        )


def list_file_facts(db: Connection, project_id: int) -> list[FileFacts]:
    """Return the files of a project that are not deleted, in upload order."""
    named: dict[int, set[str]] = {}
    for file_id, label in db.execute(_LABELS, {"project_id": project_id}):
        named.setdefault(file_id, set()).add(label)
    return [
        FileFacts(
            row.id,
            Kind(row.kind),
            row.name,
            row.version,
            row.subdir,
            row.uploaded_at,
            row.yanked is not None,
            row.requires_python or "",
            tuple(json.loads(row.tags)),
            tuple(json.loads(row.depends)),
            frozenset(named.get(row.id, ())),
            row.made_from is not None,
        )
        for row in db.execute(_FILES, {"project_id": project_id})
    ]


def had_files(db: Connection, project_id: int) -> bool:
    """Whether a project has a file, deleted or not."""
    return db.execute(_ANY_FILE, {"project_id": project_id}).first() is not None


def set_about(db: Connection, found: Iterable[tuple[int, str]]) -> None:
    """Record info/about.json of packages that were uploaded before it was kept."""
    for file_id, about in found:
        db.execute(files.update().where(files.c.id == file_id).values(about=about))


def lock_channels_of(db: Connection, project_ids: Sequence[int]) -> None:
    """Make writers of these projects' channels wait for this transaction."""
    own = select(projects.c.channel_id).where(projects.c.id.in_(project_ids))
    query = select(channels.c.id).where(channels.c.id.in_(own)).order_by(channels.c.id)
    db.execute(query.with_for_update()).all()


_MINE = files.c.project_id == bindparam("project_id")
_FILES = (
    select(
        files.c.id,
        files.c.kind,
        files.c.name,
        files.c.version,
        files.c.subdir,
        files.c.uploaded_at,
        files.c.yanked,
        files.c.requires_python,
        files.c.tags,
        files.c.depends,
        files.c.made_from,
    )
    .where(_MINE, files.c.deleted_at.is_(None))
    .order_by(files.c.id)
)
_LABELS = (
    select(labels.c.file_id, labels.c.label)
    .join(files, files.c.id == labels.c.file_id)
    .where(_MINE, files.c.deleted_at.is_(None))
)
_ANY_FILE = select(files.c.id).where(_MINE).limit(1)
