"""The projects of an upstream that a channel offers by metadata alone (`proxy.offer_list`)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, func, or_, select, update

from twofold.server.model import to_text
from twofold.server.store.schema import offers
from twofold.server.store.tables.inserts import insert_missing

#: The most rows of one statement.
_MAX_ROWS = 500


@dataclass(frozen=True, slots=True)
class OfferedProject:
    """An offered project by its key; `requirement` is what was asked for: `spam[fast]>=2`.

    `missing` is why nothing of it can be offered, or ''. `wheels` are its newest wheels as
    `proxy.offered_wheels` packs them; `shards` are subdir -> (conda name, SHA-256 of its shard).
    """

    key: str
    requirement: str
    missing: str = ""
    wheels: bytes | None = field(default=None, repr=False)
    shards: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def add_offers(
    db: Connection, channel_id: int, requirements: Mapping[str, str], at: datetime
) -> int:
    """Add projects (key -> requirement) that are not offered yet; return how many are new."""
    here = {"channel_id": channel_id, "added_at": to_text(at)}
    rows = [{**here, "key": key, "requirement": text} for key, text in sorted(requirements.items())]
    before = count_offers(db, channel_id)
    for start in range(0, len(rows), _MAX_ROWS):
        insert_missing(db, offers, rows[start : start + _MAX_ROWS])
    return count_offers(db, channel_id) - before


def set_requirement(db: Connection, channel_id: int, key: str, requirement: str) -> None:
    """Ask for a project in another way: its wheels are read again."""
    here = (offers.c.channel_id == channel_id) & (offers.c.key == key)
    db.execute(update(offers).where(here).values(requirement=requirement, checked_at=None))


def remove_offers(db: Connection, channel_id: int, keys: Sequence[str], at: datetime) -> int:
    """Remove projects from the list; return how many were on it."""
    here, done, serial = offers.c.channel_id == channel_id, 0, _make_serial(db, channel_id, at)
    for start in range(0, len(keys), _MAX_ROWS):
        part = keys[start : start + _MAX_ROWS]
        done += db.execute(delete(offers).where(here, offers.c.key.in_(part))).rowcount
    # Another project takes the serial, so that readers notice: they ask for the last one.
    other = select(func.max(offers.c.key)).where(here, offers.c.serial > 0).scalar_subquery()
    db.execute(update(offers).where(here, offers.c.key == other).values(serial=serial))
    return done


def find_requirements(db: Connection, channel_id: int, keys: Iterable[str]) -> dict[str, str]:
    """Return key -> requirement of those that are offered."""
    wanted, found = sorted(set(keys)), {}
    for start in range(0, len(wanted), _MAX_ROWS):
        query = select(offers.c.key, offers.c.requirement).where(
            offers.c.channel_id == channel_id, offers.c.key.in_(wanted[start : start + _MAX_ROWS])
        )
        found.update({row.key: row.requirement for row in db.execute(query)})
    return found


def list_due(db: Connection, channel_id: int, before: datetime, limit: int) -> list[OfferedProject]:
    """List projects that were never read, or last before a time; those never read first."""
    old = or_(offers.c.checked_at.is_(None), offers.c.checked_at < to_text(before))
    query = (
        select(offers.c.key, offers.c.requirement, offers.c.missing, offers.c.wheels)
        .where(offers.c.channel_id == channel_id, old)
        .order_by(offers.c.checked_at.is_not(None), offers.c.checked_at, offers.c.key)
        .limit(limit)
    )
    return [
        OfferedProject(row.key, row.requirement, row.missing, row.wheels)
        for row in db.execute(query)
    ]


def expire_offers(db: Connection, channel_id: int, keys: Sequence[str] | None = None) -> None:
    """Let the next round read every project again, or some of them."""
    query = update(offers).where(offers.c.channel_id == channel_id)
    if keys is not None:
        query = query.where(offers.c.key.in_(list(keys)))
    db.execute(query.values(checked_at=None))


def touch_offers(db: Connection, channel_id: int, keys: Sequence[str], at: datetime) -> None:
    """Record that the wheels of projects were read and are as before."""
    here = offers.c.key.in_(list(keys)) & (offers.c.channel_id == channel_id)
    db.execute(update(offers).where(here).values(checked_at=to_text(at)))


def save_offers(
    db: Connection, channel_id: int, changed: Sequence[OfferedProject], at: datetime
) -> None:
    """Store what was read of projects that are still on the list."""
    if not changed:
        return
    serial = _make_serial(db, channel_id, at)
    query = update(offers).where(
        offers.c.channel_id == channel_id, offers.c.key == bindparam("one_key")
    )
    rows = [
        {
            "one_key": one.key,
            "checked_at": to_text(at),
            "serial": serial,
            "missing": one.missing,
            "wheels": one.wheels,
            "shards": json.dumps(dict(one.shards)),
        }
        for one in changed
    ]
    db.execute(query, rows)


def _make_serial(db: Connection, channel_id: int, at: datetime) -> int:
    """Return the next serial; the time goes on where the row with the last one was removed."""
    return max(get_serial(db, channel_id) + 1, int(at.timestamp() * 1_000_000))


def count_offers(db: Connection, channel_id: int) -> int:
    """Return the number of projects on the list."""
    query = select(func.count()).where(offers.c.channel_id == channel_id)
    return int(db.execute(query).scalar_one())


def get_serial(db: Connection, channel_id: int) -> int:
    """Return the serial of the last change of what is offered; 0 where nothing was read yet."""
    query = select(func.max(offers.c.serial)).where(offers.c.channel_id == channel_id)
    return int(db.execute(query).scalar() or 0)


def count_read(db: Connection, channel_id: int) -> int:
    """Return how many projects were read."""
    query = select(func.count()).where(offers.c.channel_id == channel_id, offers.c.serial > 0)
    return int(db.execute(query).scalar_one())


def list_shards(
    db: Connection, channel_id: int, serial: int = 0
) -> list[tuple[str, dict[str, tuple[str, str]]]]:
    """List (key, shards) of the projects that changed after a serial.

    Shards are subdir -> (conda name, SHA-256); a project that cannot be offered has none.
    """
    query = select(offers.c.key, offers.c.shards).where(
        offers.c.channel_id == channel_id, offers.c.serial > serial
    )
    rows = db.execute(query.order_by(offers.c.key)).all()
    every = json.loads(f"[{','.join(row.shards for row in rows)}]")
    return [
        (row.key, {subdir: (name, sha256) for subdir, (name, sha256) in shards.items()})
        for row, shards in zip(rows, every, strict=True)
    ]


def read_wheels(db: Connection, channel_id: int, key: str) -> bytes | None:
    """Return the packed wheels of an offered project, or None."""
    query = select(offers.c.wheels).where(offers.c.channel_id == channel_id, offers.c.key == key)
    return db.execute(query).scalar()


def list_missing(db: Connection, channel_id: int) -> dict[str, str]:
    """Return key -> why it cannot be offered."""
    query = select(offers.c.key, offers.c.missing).where(
        offers.c.channel_id == channel_id, offers.c.missing != ""
    )
    return {row.key: row.missing for row in db.execute(query.order_by(offers.c.key))}


def list_keys(db: Connection, channel_id: int) -> list[str]:
    """Return the keys of the offered projects, sorted."""
    query = select(offers.c.key).where(offers.c.channel_id == channel_id).order_by(offers.c.key)
    return list(db.execute(query).scalars())
