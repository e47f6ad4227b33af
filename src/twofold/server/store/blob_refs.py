"""What holds blobs besides files: records in the making, and staged uploads.

Protects blobs that a new record needs from a garbage collection that runs concurrently.

The collection locks a blob's row while it looks for records and deletes the object; adding a record
locks the row as well. So one of them goes first, and the second sees its result.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from twofold.artifact import Artifact
from twofold.errors import Refused
from twofold.server.model import StoredFile, to_text
from twofold.server.store import files
from twofold.server.store.blobs import Blobs
from twofold.server.store.database import Database
from twofold.server.store.schema import channels, stages
from twofold.server.store.schema import files as files_table


def protect_blobs(
    db: Connection, blobs: Blobs, needed: Iterable[Artifact | StoredFile], at: datetime
) -> None:
    """Lock these files' blobs against garbage collection until the transaction ends.

    Raises Refused (409) when one was deleted and its bytes are not available to store it again.
    """
    # Sorted, or two transactions could wait for each other.
    for file in sorted(needed, key=lambda file: file.sha256):
        is_new = files.record_blob(db, file.sha256, file.size, at)
        if is_new or exists(blobs, file):
            continue
        if isinstance(file, StoredFile):
            message = f"The bytes of {file.filename} have just been removed"
            raise Refused("swept", message, "upload it again", 409)
        blobs.put(file.sha256, file.path)


def exists(blobs: Blobs, file: Artifact | StoredFile) -> bool:
    """Whether the object store has a file's blob."""
    try:
        return blobs.size(file.sha256) == file.size
    except FileNotFoundError:
        return False


def find_referenced(db: Connection, some: Iterable[str]) -> set[str]:
    """Return those of some hashes that a file which is not deleted has."""
    query = select(files_table.c.sha256).where(
        files_table.c.sha256.in_(list(some)), files_table.c.deleted_at.is_(None)
    )
    return set(db.execute(query).scalars())


def delete_unreferenced(
    database: Database, blobs: Blobs, sha256: str, size: int, at: datetime
) -> bool:
    """Delete a blob unless a file references it; True when it was deleted."""
    with database.write() as db:
        files.record_blob(db, sha256, size, at)
        if files.is_blob_referenced(db, sha256):
            return False
        blobs.delete(sha256)
    return True


def list_deleted_blobs(db: Connection, channel_id: int, since: datetime) -> set[str]:
    """Return the hashes of a channel's files that were deleted since then."""
    query = select(files_table.c.sha256).where(
        files_table.c.channel_id == channel_id, files_table.c.deleted_at >= to_text(since)
    )
    return set(db.execute(query).scalars())


def list_files_of_blobs(db: Connection, hashes: Iterable[str]) -> dict[str, list[str]]:
    """Return hash -> its files that are not deleted, as `channel/subdir/filename`."""
    found: dict[str, list[str]] = {}
    for sha256 in hashes:
        query = (
            select(channels.c.name, files_table.c.subdir, files_table.c.filename)
            .join(channels, channels.c.id == files_table.c.channel_id)
            .where(files_table.c.sha256 == sha256, files_table.c.deleted_at.is_(None))
        )
        found[sha256] = ["/".join(filter(None, row)) for row in db.execute(query)]
    return found


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
