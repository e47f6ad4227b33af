"""Pages rendered on write, and channels' shards, in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, select, update

from twofold.server.model import Page, from_text, to_text
from twofold.server.store.schema import (
    files,
    labels,
    pages,
    projects,
    shard_bodies,
    shards,
)
from twofold.server.store.tables.inserts import make_insert, upsert


@dataclass(frozen=True, slots=True)
class Shard:
    """A rendered shard (CEP 16); `sha256` is '' and `body` empty for a removed one."""

    sha256: str
    body: bytes


def save_page(db: Connection, channel_id: int, key: str, page: Page) -> None:
    """Insert or replace a page."""
    values = {"serial": page.serial, "etag": page.etag, "body": page.body}
    upsert(db, pages, {"channel_id": channel_id, "key": key}, values)


# Statements of every page and upload are built once: building one costs as much as its run.
_PAGE = select(pages.c.body, pages.c.etag, pages.c.serial).where(
    pages.c.channel_id == bindparam("channel_id"), pages.c.key == bindparam("key")
)
_LARGE_PAGES = select(pages.c.key).where(
    pages.c.channel_id == bindparam("channel_id"),
    pages.c.key.in_(bindparam("keys", expanding=True)),
    func.length(pages.c.body) >= bindparam("size"),
)
_PLACE = [shards.c[key] == bindparam(key) for key in ("channel_id", "label", "subdir", "name")]
_LISTED = select(shards.c.sha256).where(*_PLACE)
_SHARD_OF = (
    select(shard_bodies.c.body)
    .join(
        shards,
        (shards.c.channel_id == shard_bodies.c.channel_id)
        & (shards.c.sha256 == shard_bodies.c.sha256),
    )
    .where(*_PLACE)
)
_SAME_SHARD = (
    select(shards.c.sha256)
    .where(
        shards.c.channel_id == shard_bodies.c.channel_id,
        shards.c.sha256 == shard_bodies.c.sha256,
    )
    .exists()
)
_MARK_UNLISTED = (
    update(shard_bodies)
    .where(
        shard_bodies.c.channel_id == bindparam("of_channel"),
        shard_bodies.c.sha256 == bindparam("of_sha256"),
        ~_SAME_SHARD,
    )
    .values(created_at=bindparam("at"))
)


def find_page(db: Connection, channel_id: int, key: str) -> Page | None:
    """Return a page, or None."""
    row = db.execute(_PAGE, {"channel_id": channel_id, "key": key}).first()
    return Page(bytes(row[0]), row[1], row[2]) if row else None


def list_projects_with_page(db: Connection, channel_id: int, prefix: str) -> dict[str, int]:
    """Return key -> serial of the page `prefix` + key, of projects with a file for pip."""
    offered = select(files.c.id).where(
        files.c.project_id == projects.c.id, files.c.subdir == "", files.c.deleted_at.is_(None)
    )
    query = (
        select(projects.c.key, pages.c.serial)
        .join(
            pages,
            (pages.c.channel_id == projects.c.channel_id)
            & (pages.c.key == prefix + projects.c.key),
        )
        .where(projects.c.channel_id == channel_id, offered.exists())
        .order_by(projects.c.key)
    )
    return {row.key: row.serial for row in db.execute(query)}


def get_page_serial(db: Connection, channel_id: int, key: str) -> int | None:
    """Return the serial a page was rendered at, or None if there is no page."""
    query = select(pages.c.serial).where(pages.c.channel_id == channel_id, pages.c.key == key)
    found = db.execute(query).scalar()
    return int(found) if found is not None else None


def list_large_pages(db: Connection, channel_id: int, keys: Iterable[str], size: int) -> list[str]:
    """List the keys of the pages with at least `size` bytes."""
    values = {"channel_id": channel_id, "keys": sorted(keys), "size": size}
    return list(db.execute(_LARGE_PAGES, values).scalars())


def delete_unlisted_shards(db: Connection, before: datetime) -> int:
    """Delete the bodies of shards that no list names and that are older; returns their number.

    Clients that read a list just before it changed may still ask for what it named.
    """
    query = delete(shard_bodies).where(shard_bodies.c.created_at < to_text(before), ~_SAME_SHARD)
    return db.execute(query).rowcount


def acquire_page_lease(
    db: Connection, channel_id: int, key: str, at: datetime, until: datetime
) -> float:
    """Acquire the lease to render a page; returns 0, or the seconds another server still holds it.

    The lease is a row beside the page, so it applies to all servers of one store.
    """
    row = {"channel_id": channel_id, "key": _lease_key(key), "etag": to_text(until)}
    row |= {"serial": 0, "body": b""}
    new = make_insert(db.dialect.name, pages).values(row)
    taken = new.on_conflict_do_update(
        index_elements=["channel_id", "key"],
        set_={"etag": row["etag"]},
        where=pages.c.etag <= to_text(at),
    )
    if db.execute(taken).rowcount:
        return 0.0
    where = (pages.c.channel_id == channel_id) & (pages.c.key == row["key"])
    held_until = db.execute(select(pages.c.etag).where(where)).scalar_one()
    return max(0.01, (from_text(held_until) - at).total_seconds())


def extend_page_lease(db: Connection, channel_id: int, key: str, until: datetime) -> None:
    """Extend the lease: no server renders the page again before `until`."""
    where = (pages.c.channel_id == channel_id) & (pages.c.key == _lease_key(key))
    db.execute(update(pages).where(where).values(etag=to_text(until)))


def _lease_key(key: str) -> str:
    return f"turn/{key}"


def remove_page(db: Connection, channel_id: int, key: str) -> None:
    """Delete a page."""
    db.execute(delete(pages).where(pages.c.channel_id == channel_id, pages.c.key == key))


def save_shard(
    db: Connection,
    channel_id: int,
    place: tuple[str, str, str],
    shard: Shard,
    serial: int,
    at: datetime,
) -> None:
    """Save the shard of `place` (label, subdir, name).

    The time of the one it replaces becomes that of the replacement, for who read the list before.
    """
    label, subdir, name = place
    keys = {"channel_id": channel_id, "label": label, "subdir": subdir, "name": name}
    before = db.execute(_LISTED, keys).scalar()
    upsert(db, shards, keys, {"sha256": shard.sha256, "serial": serial})
    if before and before != shard.sha256:
        unlisted = {"of_channel": channel_id, "of_sha256": before, "at": to_text(at)}
        db.execute(_MARK_UNLISTED, unlisted)
    if shard.sha256:
        keys = {"channel_id": channel_id, "sha256": shard.sha256}
        upsert(db, shard_bodies, keys, {"body": shard.body, "created_at": to_text(at)})


def find_shard(db: Connection, channel_id: int, sha256: str) -> bytes | None:
    """Return the shard with this hash, or None."""
    query = select(shard_bodies.c.body).where(
        shard_bodies.c.channel_id == channel_id, shard_bodies.c.sha256 == sha256
    )
    found = db.execute(query).scalar()
    return bytes(found) if found is not None else None


def find_shard_of(db: Connection, channel_id: int, place: tuple[str, str, str]) -> bytes | None:
    """Return the shard of `place` (label, subdir, name), or None."""
    label, subdir, name = place
    values = {"channel_id": channel_id, "label": label, "subdir": subdir, "name": name}
    found = db.execute(_SHARD_OF, values).scalar()
    return bytes(found) if found is not None else None


def list_changed_shards(
    db: Connection, channel_id: int, label: str, subdir: str, serial: int
) -> list[tuple[str, str]]:
    """List (name, sha256) of shards changed after a serial; sha256 is '' for a removed one."""
    query = select(shards.c.name, shards.c.sha256).where(
        shards.c.channel_id == channel_id,
        shards.c.label == label,
        shards.c.subdir == subdir,
        shards.c.serial > serial,
    )
    return [(name, sha256) for name, sha256 in db.execute(query)]


def get_newest_shard_time(
    db: Connection, channel_id: int, label: str, subdir: str
) -> datetime | None:
    """Return when the newest shard of a subdir was rendered."""
    query = (
        select(shard_bodies.c.created_at)
        .join(
            shards,
            (shards.c.channel_id == shard_bodies.c.channel_id)
            & (shards.c.sha256 == shard_bodies.c.sha256),
        )
        .where(
            shards.c.channel_id == channel_id,
            shards.c.label == label,
            shards.c.subdir == subdir,
        )
        .order_by(shards.c.serial.desc())
        .limit(1)
    )
    found = db.execute(query).scalar()
    return from_text(found) if found else None


def list_inconsistent_shards(db: Connection, channel_id: int) -> list[tuple[str, str, str]]:
    """List (label, subdir, name) where a shard is missing, or exists without files."""
    shown = select(labels.c.label, files.c.subdir, files.c.name).join(
        files, files.c.id == labels.c.file_id
    )
    listed = {
        tuple(row)
        for row in db.execute(
            shown.where(
                files.c.channel_id == channel_id,
                files.c.subdir != "",
                files.c.deleted_at.is_(None),
                files.c.yanked.is_(None),
            ).distinct()
        )
    }
    query = select(shards.c.label, shards.c.subdir, shards.c.name).where(
        shards.c.channel_id == channel_id, shards.c.sha256 != ""
    )
    rendered = {tuple(row) for row in db.execute(query)}
    return sorted(listed ^ rendered)


def get_last_change(db: Connection, channel_id: int, label: str, subdir: str) -> int:
    """Return the serial of the last change of a subdir under a label; 0 if none."""
    query = (
        select(shards.c.serial)
        .where(
            shards.c.channel_id == channel_id,
            shards.c.label == label,
            shards.c.subdir == subdir,
        )
        .order_by(shards.c.serial.desc())
        .limit(1)
    )
    return db.execute(query).scalar() or 0
