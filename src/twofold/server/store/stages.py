"""Staged uploads of the Anaconda.org API in the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from twofold.server.model import to_text
from twofold.server.store.schema import stages


@dataclass(frozen=True, slots=True)
class Stage:
    """An upload in progress. `attributes` has its labels and the sha256 received so far."""

    id: str
    channel_id: int
    user_id: int
    basename: str
    attributes: dict[str, Any]


def add_stage(db: Connection, stage: Stage, at: datetime) -> None:
    """Add a staged upload."""
    db.execute(
        insert(stages).values(
            id=stage.id,
            channel_id=stage.channel_id,
            user_id=stage.user_id,
            basename=stage.basename,
            attributes=json.dumps(stage.attributes),
            created_at=to_text(at),
        )
    )


def find_stage(db: Connection, stage_id: str) -> Stage | None:
    """Return the staged upload with this id, or None."""
    row = db.execute(select(stages).where(stages.c.id == stage_id)).first()
    if row is None:
        return None
    return Stage(row.id, row.channel_id, row.user_id, row.basename, json.loads(row.attributes))


def update_stage(db: Connection, stage_id: str, attributes: dict[str, Any]) -> None:
    """Replace the attributes of a staged upload."""
    new = {"attributes": json.dumps(attributes)}
    db.execute(update(stages).where(stages.c.id == stage_id).values(**new))


def remove_stage(db: Connection, stage_id: str) -> None:
    """Delete a staged upload."""
    db.execute(delete(stages).where(stages.c.id == stage_id))


def delete_stages_before(db: Connection, at: datetime) -> None:
    """Delete the staged uploads that began before a time."""
    db.execute(delete(stages).where(stages.c.created_at < to_text(at)))
