"""Wrong passwords of the last minutes, in the database: counted over all processes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select

from twofold.server.model import to_text
from twofold.server.store.database import inserted_id
from twofold.server.store.schema import guesses


def count_attempts(db: Connection, places: Iterable[str], since: datetime) -> dict[str, int]:
    """How many wrong passwords are noted under each of these places."""
    wanted = list(places)
    query = select(guesses.c.place, func.count()).where(
        guesses.c.place.in_(wanted), guesses.c.at > to_text(since)
    )
    found = {row[0]: row[1] for row in db.execute(query.group_by(guesses.c.place))}
    return {place: found.get(place, 0) for place in wanted}


def record_attempt(db: Connection, places: Iterable[str], at: datetime) -> int:
    """Note one wrong password under each of these places; returns the last row's id."""
    last = 0
    for place in places:
        last = inserted_id(db.execute(insert(guesses).values(place=place, at=to_text(at))))
    return last


def delete_old_attempts(db: Connection, before: datetime, up_to: int) -> None:
    """Forget what is older, and all rows up to this id."""
    db.execute(delete(guesses).where((guesses.c.at <= to_text(before)) | (guesses.c.id <= up_to)))


def delete_attempts(db: Connection, place: str) -> None:
    db.execute(delete(guesses).where(guesses.c.place == place))
