"""Protects blobs that a new record needs from a garbage collection that runs concurrently.

The collection locks a blob's row while it looks for records and deletes the object; adding a record
locks the row as well. So one of them goes first, and the second sees its result.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection

from twofold.artifact import Artifact
from twofold.errors import Refused
from twofold.server.model import StoredFile
from twofold.server.store import files
from twofold.server.store.blobs import Blobs
from twofold.server.store.database import Database


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
