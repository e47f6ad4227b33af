"""Wheels and their twins in the database: whose names are whose, and which wheels have none."""

from __future__ import annotations

import json
import re

from sqlalchemy import Connection, and_, or_, select

from twofold.artifact import Artifact, Kind
from twofold.names import normalize_name
from twofold.server.model import Project
from twofold.server.store.channels import get_project
from twofold.server.store.schema import files, projects

#: The name that a requirement (PEP 508) begins with.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def required_names(artifact: Artifact) -> set[str]:
    """The normalised names of what a wheel requires, and its own."""
    found = (_NAME.match(text) for text in artifact.depends)
    return {normalize_name(artifact.name), *(normalize_name(match[0]) for match in found if match)}


def list_projects_by_conda_name(db: Connection, channel_id: int, name: str) -> list[Project]:
    """The projects that conda knows by a name, or would if they had a package."""
    unnamed = and_(projects.c.conda_name.is_(None), projects.c.key == normalize_name(name))
    query = select(projects.c.id).where(
        projects.c.channel_id == channel_id, or_(projects.c.conda_name == name, unnamed)
    )
    return [get_project(db, found) for found in db.execute(query).scalars()]


def list_other_projects_named(
    db: Connection, channel_id: int, project_id: int, name: str
) -> list[Project]:
    """The other projects of a channel that have a conda name, as their own or as conda's."""
    query = select(projects.c.id).where(
        projects.c.channel_id == channel_id,
        projects.c.id != project_id,
        or_(projects.c.conda_name == name, projects.c.key == normalize_name(name)),
    )
    return [get_project(db, found) for found in db.execute(query.order_by(projects.c.id)).scalars()]


def list_unconverted_wheels(db: Connection, channel_id: int) -> dict[int, tuple[str, ...]]:
    """The wheels of which no package could be made: id -> what it requires. By a partial index."""
    query = select(files.c.id, files.c.depends).where(
        files.c.channel_id == channel_id,
        files.c.remark.is_not(None),
        files.c.kind == Kind.WHEEL.value,
        files.c.deleted_at.is_(None),
    )
    return {row.id: tuple(json.loads(row.depends)) for row in db.execute(query)}


def list_pure_wheels(db: Connection, channel_id: int) -> list[int]:
    """The ids of the pure wheels of a channel."""
    query = select(files.c.id).where(
        files.c.channel_id == channel_id,
        files.c.kind == Kind.WHEEL.value,
        files.c.tags.contains("py3-none-any"),
        files.c.deleted_at.is_(None),
    )
    return list(db.execute(query).scalars())
