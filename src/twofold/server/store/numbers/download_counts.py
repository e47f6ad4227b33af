"""Downloads in the database: added up by day, read by day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table, delete, func, select, tuple_

from twofold.artifact import Kind
from twofold.server.store.schema import (
    channel_download_days,
    channels,
    download_days,
    download_totals,
    files,
)
from twofold.server.store.tables.inserts import make_insert

#: A file by its id, or by its channel's name, subdir and filename.
FileKey = int | tuple[str, str, str]

#: Days for which downloads are kept by day; totals of files are kept for ever.
RETENTION_DAYS = 400


@dataclass(frozen=True, slots=True)
class DayCount:
    """Downloads of a day; `version` is '' for those of a channel."""

    day: str
    version: str
    world: str
    client: str
    count: int


def add_counts(db: Connection, day: str, counts: Mapping[tuple[FileKey, str], int]) -> None:
    """Add downloads of a day by (file, client). Files that are not recorded are left out."""
    known = _find_files(db, {file for file, _ in counts})
    days: Counter[tuple[Any, ...]] = Counter()
    of_channels: Counter[tuple[Any, ...]] = Counter()
    totals: Counter[tuple[Any, ...]] = Counter()
    for (key, client), count in counts.items():
        row = known.get(key)
        if row is None:
            continue
        world = "conda" if Kind(row.kind).is_conda else "pip"
        days[row.project_id, day, row.version, world, client] += count
        of_channels[row.channel_id, day, world, client] += count
        totals[(row.id,)] += count
    for table, found in (
        (download_days, days),
        (channel_download_days, of_channels),
        (download_totals, totals),
    ):
        _add(db, table, found)


def _find_files(db: Connection, keys: Iterable[FileKey]) -> dict[FileKey, Any]:
    columns = (files.c.id, files.c.channel_id, files.c.project_id, files.c.kind, files.c.version)
    found: dict[FileKey, Any] = {}
    ids = sorted(key for key in keys if isinstance(key, int))
    names = sorted(key for key in keys if not isinstance(key, int))
    for start in range(0, len(ids), 500):
        query = select(*columns).where(files.c.id.in_(ids[start : start + 500]))
        found.update({row.id: row for row in db.execute(query)})
    name = tuple_(channels.c.name, files.c.subdir, files.c.filename)
    for start in range(0, len(names), 200):
        query = select(*columns, channels.c.name, files.c.subdir, files.c.filename).join(
            channels, channels.c.id == files.c.channel_id
        )
        for row in db.execute(query.where(name.in_(names[start : start + 200]))):
            found[row.name, row.subdir, row.filename] = row
    return found


def _add(db: Connection, table: Table, counts: Mapping[tuple[Any, ...], int]) -> None:
    """Add to the rows with these keys, in an order that lets no two processes wait in a circle."""
    keys = [column.name for column in table.primary_key.columns]
    rows = [dict(zip(keys, key, strict=True), count=count) for key, count in sorted(counts.items())]
    if rows:
        db.execute(_make_addition(db.dialect.name, table), rows)


@cache
def _make_addition(dialect: str, table: Table) -> Any:
    new = make_insert(dialect, table)
    total = {"count": table.c.count + new.excluded.count}
    keys = [column.name for column in table.primary_key.columns]
    return new.on_conflict_do_update(index_elements=keys, set_=total)


def delete_days_before(db: Connection, day: str) -> None:
    """Delete what is counted by day before a day."""
    for table in (download_days, channel_download_days):
        db.execute(delete(table).where(table.c.day < day))


def list_project_days(db: Connection, project_id: int, since: str) -> list[DayCount]:
    """Return a project's downloads since a day, oldest first."""
    columns = download_days.c
    query = select(columns.day, columns.version, columns.world, columns.client, columns.count)
    query = query.where(columns.project_id == project_id, columns.day >= since)
    rows = db.execute(query.order_by(columns.day, columns.version, columns.world, columns.client))
    return [DayCount(*row) for row in rows]


def list_channel_days(db: Connection, channel_id: int, since: str) -> list[DayCount]:
    """Return a channel's downloads since a day, oldest first."""
    columns = channel_download_days.c
    query = select(columns.day, columns.world, columns.client, columns.count)
    query = query.where(columns.channel_id == channel_id, columns.day >= since)
    rows = db.execute(query.order_by(columns.day, columns.world, columns.client))
    return [DayCount(day, "", world, client, count) for day, world, client, count in rows]


def count_by_file(db: Connection, project_id: int) -> dict[int, int]:
    """Return id -> all downloads of a project's files, deleted ones included."""
    query = (
        select(download_totals.c.file_id, download_totals.c.count)
        .join(files, files.c.id == download_totals.c.file_id)
        .where(files.c.project_id == project_id)
    )
    return {file_id: count for file_id, count in db.execute(query)}  # noqa: C416


def sum_project_sizes(db: Connection, project_id: int) -> int:
    """Return the total size of a project's files in bytes."""
    query = select(func.coalesce(func.sum(files.c.size), 0)).where(
        files.c.project_id == project_id, files.c.deleted_at.is_(None)
    )
    return int(db.execute(query).scalar_one())


def list_largest_projects(db: Connection, channel_id: int, count: int) -> list[tuple[int, int]]:
    """Return (project id, bytes) of the projects that take the most room in a channel."""
    total = func.sum(files.c.size).label("total")
    query = (
        select(files.c.project_id, total)
        .where(files.c.channel_id == channel_id, files.c.deleted_at.is_(None))
        .group_by(files.c.project_id)
        .order_by(total.desc(), files.c.project_id)
        .limit(count)
    )
    return [(row.project_id, int(row.total)) for row in db.execute(query)]
