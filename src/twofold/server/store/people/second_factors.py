"""Second factors (TOTP) and recovery codes in the database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from twofold.server.model import to_text
from twofold.server.store.tables.people import recovery_codes, second_factors


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A user's second factor; `secret` is base32 (RFC 6238)."""

    user_id: int
    secret: str = field(repr=False)
    is_confirmed: bool
    last_step: int


def find_factor(db: Connection, user_id: int) -> SecondFactor | None:
    """Return a user's second factor, confirmed or not."""
    query = select(second_factors).where(second_factors.c.user_id == user_id)
    row = db.execute(query).first()
    if row is None:
        return None
    return SecondFactor(row.user_id, row.secret, row.confirmed_at is not None, row.last_step)


def set_factor(db: Connection, user_id: int, secret: str, at: datetime) -> None:
    """Set an unconfirmed second factor, in place of another unconfirmed one."""
    db.execute(delete(second_factors).where(second_factors.c.user_id == user_id))
    values = {"user_id": user_id, "secret": secret, "created_at": to_text(at)}
    db.execute(insert(second_factors).values(**values))


def confirm_factor(db: Connection, user_id: int, step: int, at: datetime) -> None:
    """Confirm a second factor by its first code."""
    query = update(second_factors).where(second_factors.c.user_id == user_id)
    db.execute(query.values(confirmed_at=to_text(at), last_step=step))


def use_step(db: Connection, user_id: int, step: int) -> bool:
    """Use the code of a time step; returns False if it, or a later one, was used before."""
    query = update(second_factors).where(
        second_factors.c.user_id == user_id, second_factors.c.last_step < step
    )
    return bool(db.execute(query.values(last_step=step)).rowcount)


def remove_factor(db: Connection, user_id: int) -> bool:
    """Remove a user's second factor and recovery codes; returns False if there was none."""
    db.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    query = delete(second_factors).where(second_factors.c.user_id == user_id)
    return bool(db.execute(query).rowcount)


def set_recovery_codes(db: Connection, user_id: int, hashes: Iterable[str]) -> None:
    """Replace a user's recovery codes."""
    db.execute(delete(recovery_codes).where(recovery_codes.c.user_id == user_id))
    rows = [{"user_id": user_id, "hash": one} for one in hashes]
    if rows:
        db.execute(insert(recovery_codes), rows)


def use_recovery_code(db: Connection, user_id: int, code_hash: str) -> bool:
    """Use up a recovery code; returns False if there is none with this hash."""
    query = delete(recovery_codes).where(
        recovery_codes.c.user_id == user_id, recovery_codes.c.hash == code_hash
    )
    return bool(db.execute(query).rowcount)


def count_recovery_codes(db: Connection, user_id: int) -> int:
    """Return how many recovery codes a user has left."""
    query = select(func.count()).where(recovery_codes.c.user_id == user_id)
    return int(db.execute(query).scalar_one())
