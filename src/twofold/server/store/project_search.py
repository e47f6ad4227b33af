"""What the projects of a channel hold, in one query: for lists and searches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from twofold.artifact import Kind
from twofold.server.store.schema import files, projects


@dataclass
class ProjectSummary:
    """A project and what its files are, without the files."""

    key: str
    name: str
    summary: str
    kinds: set[Kind] = field(default_factory=set)
    versions: set[str] = field(default_factory=set)
    subdirs: set[str] = field(default_factory=set)
    builds: set[str] = field(default_factory=set)


def search_projects(
    db: Connection, channel_id: int, text: str = "", limit: int = 10_000
) -> list[ProjectSummary]:
    """The projects whose normalised name holds `part`, at most `most`, by name."""
    query = select(projects.c.id, projects.c.key, projects.c.name, projects.c.summary)
    query = query.where(projects.c.channel_id == channel_id).order_by(projects.c.key).limit(limit)
    if text:
        query = query.where(projects.c.key.contains(text, autoescape=True))
    found = {row.id: ProjectSummary(row.key, row.name, row.summary) for row in db.execute(query)}
    ids = list(found)
    for start in range(0, len(ids), 500):
        for row in db.execute(_kinds_of(ids[start : start + 500])):
            one = found[row.project_id]
            one.kinds.add(Kind(row.kind))
            one.versions.add(row.version)
            one.subdirs.add(row.subdir)
            one.builds.add(row.build)
    for one in found.values():
        one.subdirs.discard("")
        one.builds.discard("")
    return list(found.values())


def _kinds_of(ids: list[int]) -> Any:
    columns = (files.c.project_id, files.c.kind, files.c.version, files.c.subdir, files.c.build)
    query = select(*columns, func.count()).where(files.c.project_id.in_(ids))
    return query.where(files.c.deleted_at.is_(None)).group_by(*columns)
