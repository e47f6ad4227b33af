"""The newest releases of a channel or a project, for feeds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from twofold.artifact import Kind
from twofold.server.model import from_text, to_text
from twofold.server.store.schema import files, labels
from twofold.server.store.search.listings import Listing, Order, list_page


@dataclass(frozen=True, slots=True)
class Release:
    """A release that is offered: the times of its first and last upload, and its worlds."""

    listing: Listing
    version: str
    published_at: datetime
    updated_at: datetime
    worlds: tuple[str, ...]


def list_newest_releases(db: Connection, channel_id: int, count: int) -> list[Release]:
    """Return the releases of a channel with the newest uploads, newest first.

    They are among those of the `count` projects with the newest uploads, since the oldest of these.
    """
    listed = list_page(db, [channel_id], Order.NEWEST, 0, count)
    if not listed:
        return []
    since = listed[-1].uploaded_at if len(listed) == count else None
    return _list(db, listed, count, since)


def list_project_releases(db: Connection, listing: Listing, count: int) -> list[Release]:
    """Return a project's releases with the newest uploads, newest first."""
    return _list(db, [listing], count, None)


def _list(
    db: Connection, listed: Sequence[Listing], count: int, since: datetime | None
) -> list[Release]:
    by_id = {one.project_id: one for one in listed}
    columns = files.c
    first, last = func.min(columns.uploaded_at), func.max(columns.uploaded_at)
    query = (
        select(columns.project_id, columns.version, columns.kind, first, last)
        .join(labels, labels.c.file_id == columns.id)
        .where(
            columns.project_id.in_(list(by_id)),
            columns.deleted_at.is_(None),
            columns.yanked.is_(None),
            labels.c.label.in_(["main", "pre"]),
        )
        .group_by(columns.project_id, columns.version, columns.kind)
    )
    if since is not None:
        query = query.where(columns.uploaded_at >= to_text(since))
    found: dict[tuple[int, str], tuple[str, str, set[str]]] = {}
    for project_id, version, kind, begun, ended in db.execute(query).all():
        world = "conda" if Kind(kind).is_conda else "pip"
        before = found.get((project_id, version), (begun, ended, set()))
        worlds = before[2] | {world}
        found[project_id, version] = (min(before[0], begun), max(before[1], ended), worlds)
    newest = sorted(found.items(), key=lambda item: (item[1][1], item[0]), reverse=True)
    return [
        Release(
            by_id[project_id],
            version,
            from_text(begun),
            from_text(ended),
            tuple(sorted(worlds, reverse=True)),
        )
        for (project_id, version), (begun, ended, worlds) in newest[:count]
    ]
