"""One row for each project that is listed, and its tokens in the full-text index.

A project has a row while it has a file that is not deleted, or never had one and is described.
Quarantined projects have none: nobody finds what is not served.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, func, select

from twofold.server.model import from_text, to_text
from twofold.server.store.schema import project_listings, projects, store_state
from twofold.server.store.search.text_index import get_text_index
from twofold.server.store.tables.inserts import upsert

#: The row of `store_state` that says by which rules the rows were made.
MARK = "search-index"

#: The rules: a store with other rows is filled again. Raise it when rows or tokens change.
RULES = "2"


@dataclass(frozen=True, slots=True)
class Listing:
    """What lists show of a project.

    `pip_version` and `conda_version` are the newest that pip and conda install from the channel,
    or ''; `newest` is what a list shows, '' for a project without files. `platforms` are subdirs,
    with `noarch` for what runs everywhere; `pythons` versions such as 3.12. `source_id` is the
    file that describes the project.
    """

    project_id: int
    channel_id: int
    key: str
    name: str
    summary: str
    pip_version: str
    conda_version: str
    newest: str
    uploaded_at: datetime
    worlds: tuple[str, ...]
    platforms: tuple[str, ...]
    pythons: tuple[str, ...]
    source_id: int | None


class Order(StrEnum):
    """The orders of a list of projects."""

    NAME = "name"
    NEWEST = "newest"


def save_listing(db: Connection, listing: Listing, tokens: Sequence[str] | None) -> None:
    """Write a project's row, and its tokens unless None: they are as they were."""
    values = {
        "channel_id": listing.channel_id,
        "key": listing.key,
        "name": listing.name,
        "summary": listing.summary,
        "pip_version": listing.pip_version,
        "conda_version": listing.conda_version,
        "newest": listing.newest,
        "uploaded_at": to_text(listing.uploaded_at),
        "worlds": " ".join(listing.worlds),
        "platforms": " ".join(listing.platforms),
        "pythons": " ".join(listing.pythons),
        "source_id": listing.source_id,
    }
    upsert(db, project_listings, {"project_id": listing.project_id}, values)
    if tokens is not None:
        get_text_index(db).put(db, listing.project_id, tokens)


def remove_listing(db: Connection, project_id: int) -> None:
    """Remove a project's row and its tokens."""
    db.execute(_REMOVE, {"id": project_id})
    get_text_index(db).put(db, project_id, ())


def find_listing(db: Connection, project_id: int) -> Listing | None:
    """Return the row of a project, or None."""
    row = db.execute(_ONE, {"id": project_id}).first()
    return _to_listing(row) if row else None


def list_listings(db: Connection, ids: Sequence[int]) -> list[Listing]:
    """Return the rows of these projects in the order of the ids."""
    every = db.execute(_SOME, {"ids": list(ids)}).all() if ids else []
    rows = {row.project_id: row for row in every}
    return [_to_listing(rows[one]) for one in ids if one in rows]


def list_page(
    db: Connection, channel_ids: Sequence[int], order: Order, start: int, count: int
) -> list[Listing]:
    """Return the rows from `start` on of these channels, by name or newest upload first.

    The ids are read from an index alone, so that a page far behind costs little.
    """
    columns = project_listings.c
    by = {
        Order.NAME: (columns.key, columns.channel_id),
        Order.NEWEST: (columns.uploaded_at.desc(), columns.project_id.desc()),
    }[order]
    query = select(columns.project_id).where(columns.channel_id.in_(channel_ids))
    ids = db.execute(query.order_by(*by).limit(count).offset(start)).scalars()
    return list_listings(db, list(ids))


def count_listings(db: Connection, channel_ids: Sequence[int]) -> int:
    """Return the number of listed projects of these channels."""
    query = select(func.count()).where(project_listings.c.channel_id.in_(channel_ids))
    return int(db.execute(query.select_from(project_listings)).scalar_one())


def list_projects_after(db: Connection, after: int, count: int) -> list[tuple[int, int]]:
    """Return (channel id, id) of the first projects above an id, listed or not, in order."""
    query = select(projects.c.channel_id, projects.c.id).where(projects.c.id > after)
    rows = db.execute(query.order_by(projects.c.id).limit(count))
    return [(row.channel_id, row.id) for row in rows]


def read_mark(db: Connection) -> str:
    """Return by which rules the rows were made, or up to which project they are made so far."""
    query = select(store_state.c.value).where(store_state.c.key == MARK)
    return str(db.execute(query).scalar() or "")


def set_mark(db: Connection, value: str) -> None:
    """Record that all rows are made (`RULES`), or up to which project."""
    upsert(db, store_state, {"key": MARK}, {"value": value})


def reset(db: Connection) -> None:
    """Remove all rows; they are made again when the store is opened."""
    db.execute(delete(project_listings))
    get_text_index(db).clear(db)
    db.execute(delete(store_state).where(store_state.c.key == MARK))


_ONE = select(project_listings).where(project_listings.c.project_id == bindparam("id"))
_SOME = select(project_listings).where(
    project_listings.c.project_id.in_(bindparam("ids", expanding=True))
)
_REMOVE = delete(project_listings).where(project_listings.c.project_id == bindparam("id"))


def _to_listing(row: Row[Any]) -> Listing:
    return Listing(
        project_id=row.project_id,
        channel_id=row.channel_id,
        key=row.key,
        name=row.name,
        summary=row.summary,
        pip_version=row.pip_version,
        conda_version=row.conda_version,
        newest=row.newest,
        uploaded_at=from_text(row.uploaded_at),
        worlds=tuple(row.worlds.split()),
        platforms=tuple(row.platforms.split()),
        pythons=tuple(row.pythons.split()),
        source_id=row.source_id,
    )
