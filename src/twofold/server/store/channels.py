"""Channels and their reserved prefixes in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, false, insert, or_, select, update

from twofold.server.model import Channel, Project, from_text, to_text
from twofold.server.store.schema import channels, prefixes, projects, releases, roles
from twofold.server.store.tables.inserts import inserted_id

#: Maximum names in a query; SQLite allows 32,766 values, wheels have under 100 requirements.
MAX_NAMES = 5000


def add_channel(
    db: Connection, name: str, owner_id: int, at: datetime, public: bool = True
) -> Channel:
    """Add a channel."""
    values = {"name": name, "owner_id": owner_id, "public": public, "created_at": to_text(at)}
    done = db.execute(insert(channels).values(**values))
    return Channel(inserted_id(done), name, owner_id, public, 0, 0, {})


# Statements of every request and upload are built once: building one costs as much as its run.
_BY_NAME = select(channels).where(channels.c.name == bindparam("name"))
_TAKE_SERIAL = (
    update(channels)
    .where(channels.c.id == bindparam("channel_id"))
    .values(serial=channels.c.serial + 1)
    .returning(*channels.c)
)
_PROJECT = select(projects).where(
    projects.c.channel_id == bindparam("channel_id"), projects.c.key == bindparam("key")
)
_PROJECT_BY_ID = select(projects).where(projects.c.id == bindparam("id"))
_PREFIXES = select(prefixes.c.prefix, prefixes.c.owner_id).where(
    prefixes.c.channel_id == bindparam("channel_id")
)
_CONDA_NAMES = select(projects.c.key, projects.c.conda_name).where(
    projects.c.channel_id == bindparam("channel_id"),
    projects.c.key.in_(bindparam("keys", expanding=True)),
    projects.c.conda_name.is_not(None),
)


def find_channel(db: Connection, name: str) -> Channel | None:
    """Return the channel of this name, or None."""
    row = db.execute(_BY_NAME, {"name": name}).first()
    return _to_channel(row) if row else None


def has_private(db: Connection) -> bool:
    """Return whether any channel is private."""
    query = select(channels.c.id).where(channels.c.public.is_(False)).limit(1)
    return db.execute(query).first() is not None


def get_channel(db: Connection, channel_id: int) -> Channel:
    """Return the channel with this id."""
    return _to_channel(db.execute(select(channels).where(channels.c.id == channel_id)).one())


def list_channels(db: Connection) -> list[Channel]:
    """List all channels, sorted by name."""
    return [_to_channel(row) for row in db.execute(select(channels).order_by(channels.c.name))]


def lock_channel(db: Connection, channel_id: int) -> Channel:
    """Lock the channel and take its next serial; other writers of the channel wait for our commit.

    Returns the channel as of now: the previous writer may have changed its settings.
    """
    return _to_channel(db.execute(_TAKE_SERIAL, {"channel_id": channel_id}).one())


def mark_names_changed(db: Connection, channel_id: int, serial: int) -> None:
    """Record the serial at which the list of projects last changed."""
    query = update(channels).where(channels.c.id == channel_id)
    db.execute(query.values(names_serial=serial))


def update_channel(db: Connection, channel_id: int, **values: Any) -> None:
    """Update columns of a channel."""
    if "settings" in values:
        values["settings"] = json.dumps(values["settings"])
    db.execute(update(channels).where(channels.c.id == channel_id).values(**values))


def add_project(
    db: Connection, channel_id: int, key: str, name: str, at: datetime, **values: Any
) -> Project:
    """Add a project to a channel."""
    row = {"channel_id": channel_id, "key": key, "name": name, "created_at": to_text(at)}
    row["lookalike"] = skeleton(key)
    db.execute(insert(projects).values(**row, **_serialize(values)))
    found = find_project(db, channel_id, key)
    assert found is not None
    return found


def find_project(db: Connection, channel_id: int, key: str) -> Project | None:
    """Return the project with this normalised name, or None."""
    row = db.execute(_PROJECT, {"channel_id": channel_id, "key": key}).first()
    return _to_project(row) if row else None


def get_project(db: Connection, project_id: int) -> Project:
    """Return the project with this id."""
    return _to_project(db.execute(_PROJECT_BY_ID, {"id": project_id}).one())


def list_confusable_projects(db: Connection, channel_id: int, key: str) -> dict[str, int]:
    """Return key -> id of the projects with a confusable name, including the project itself."""
    query = select(projects.c.key, projects.c.id).where(
        projects.c.channel_id == channel_id, projects.c.lookalike == skeleton(key)
    )
    return {row.key: row.id for row in db.execute(query.order_by(projects.c.id))}


def list_prefixes(db: Connection, channel_id: int) -> dict[str, int]:
    """Return reserved prefix (PEP 752) -> id of its owner."""
    rows = db.execute(_PREFIXES, {"channel_id": channel_id})
    return {row.prefix: row.owner_id for row in rows}


def set_prefix(db: Connection, channel_id: int, prefix: str, owner_id: int | None) -> None:
    """Reserve a prefix for a user or an organisation, or release it (None)."""
    where = (prefixes.c.channel_id == channel_id) & (prefixes.c.prefix == prefix)
    db.execute(delete(prefixes).where(where))
    if owner_id is not None:
        values = {"channel_id": channel_id, "prefix": prefix, "owner_id": owner_id}
        db.execute(insert(prefixes).values(**values))


def list_projects_under(db: Connection, channel_id: int, under: Iterable[str]) -> list[Project]:
    """List the projects under any of these prefixes, sorted by name."""
    fitting = [
        (projects.c.key == prefix) | projects.c.key.startswith(f"{prefix}-", autoescape=True)
        for prefix in under
    ]
    query = select(projects).where(projects.c.channel_id == channel_id, or_(false(), *fitting))
    return [_to_project(row) for row in db.execute(query.order_by(projects.c.key))]


def list_prefixes_for_user(db: Connection, user_id: int) -> dict[int, list[str]]:
    """Return channel id -> prefixes a user owns, or all in channels where it has a role."""
    in_channels = select(roles.c.channel_id).where(roles.c.user_id == user_id)
    query = (
        select(prefixes.c.channel_id, prefixes.c.prefix)
        .join(channels, channels.c.id == prefixes.c.channel_id)
        .where(
            (prefixes.c.owner_id == user_id)
            | (channels.c.owner_id == user_id)
            | prefixes.c.channel_id.in_(in_channels)
        )
    )
    found: dict[int, list[str]] = {}
    for row in db.execute(query):
        found.setdefault(row.channel_id, []).append(row.prefix)
    return found


def update_project(db: Connection, project_id: int, **values: Any) -> None:
    """Update columns of a project."""
    db.execute(update(projects).where(projects.c.id == project_id).values(**_serialize(values)))


def list_projects(db: Connection, channel_id: int) -> list[Project]:
    """List a channel's projects, sorted by normalised name."""
    query = select(projects).where(projects.c.channel_id == channel_id).order_by(projects.c.key)
    return [_to_project(row) for row in db.execute(query)]


def list_names(db: Connection, channel_id: int) -> set[str]:
    """Return all project names, both normalised and conda names."""
    query = select(projects.c.key, projects.c.conda_name).where(projects.c.channel_id == channel_id)
    return {name for row in db.execute(query) for name in row if name}


def get_conda_names(db: Connection, channel_id: int, keys: Iterable[str]) -> dict[str, str]:
    """Return normalised name -> conda name, for projects with a conda package."""
    values = {"channel_id": channel_id, "keys": sorted(set(keys))[:MAX_NAMES]}
    return {row.key: row.conda_name for row in db.execute(_CONDA_NAMES, values)}


def set_release(
    db: Connection, project_id: int, version: str, attributes: Mapping[str, Any]
) -> None:
    """Replace the attributes that the Anaconda.org API gave a release."""
    text = json.dumps(dict(attributes))
    where = (releases.c.project_id == project_id) & (releases.c.version == version)
    if not db.execute(update(releases).where(where).values(attributes=text)).rowcount:
        values = {"project_id": project_id, "version": version, "attributes": text}
        db.execute(insert(releases).values(**values))


def list_releases(db: Connection, project_id: int) -> dict[str, dict[str, Any]]:
    """Return version -> attributes of a project's described releases."""
    query = select(releases).where(releases.c.project_id == project_id)
    return {row.version: json.loads(row.attributes) for row in db.execute(query)}


def _serialize(values: dict[str, Any]) -> dict[str, Any]:
    if "attributes" in values:
        return {**values, "attributes": json.dumps(values["attributes"])}
    return values


def _to_channel(row: Row[Any]) -> Channel:
    return Channel(
        row.id,
        row.name,
        row.owner_id,
        bool(row.public),
        row.serial,
        row.names_serial,
        json.loads(row.settings),
    )


def _to_project(row: Row[Any]) -> Project:
    return Project(
        id=row.id,
        key=row.key,
        name=row.name,
        conda_name=row.conda_name,
        status=row.status,
        status_reason=row.status_reason,
        summary=row.summary,
        attributes=json.loads(row.attributes),
        created_at=from_text(row.created_at),
        serial=row.serial,
        status_before=row.status_before,
    )


_ALIKE = str.maketrans({"i": "1", "l": "1", "o": "0", "-": None, "_": None, ".": None})


def skeleton(name: str) -> str:
    """What the eye makes of a name: no separators, no case, i and l as 1, o as 0."""
    return name.lower().translate(_ALIKE)
