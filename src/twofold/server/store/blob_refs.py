"""Objects that a record is about to stand on, kept from a sweep that runs at the same time.

A sweep holds an object's row while it looks for records and removes the object; who adds a record
holds the row too. So one of them comes first, and the second sees what the first has done.
"""

from __future__ import annotations

from collections.abc import Iterable

from twofold.artifact import Artifact
from twofold.errors import Refused
from twofold.server.model import StoredFile
from twofold.server.registry import Registry, Transaction
from twofold.server.store import files


def protect_blobs(change: Transaction, needed: Iterable[Artifact | StoredFile]) -> None:
    """Keep these files' objects from a sweep until the transaction ends.

    Raises Refused (409) when one has been swept and its bytes are not at hand to put it again.
    """
    # In one order, or two transactions could wait for each other.
    for file in sorted(needed, key=lambda file: file.sha256):
        is_new = files.record_blob(change.db, file.sha256, file.size, change.at)
        if is_new or exists(change.registry, file):
            continue
        if isinstance(file, StoredFile):
            message = f"The bytes of {file.filename} have just been removed"
            raise Refused("swept", message, "upload it again", 409)
        change.registry.blobs.put(file.sha256, file.path)


def exists(registry: Registry, file: Artifact | StoredFile) -> bool:
    """Whether the object store has a file's object."""
    try:
        return registry.blobs.size(file.sha256) == file.size
    except FileNotFoundError:
        return False


def delete_unreferenced(registry: Registry, sha256: str, size: int) -> bool:
    """Remove an object unless a file stands on it by now; True when it was removed."""
    with registry.database.write() as db:
        files.record_blob(db, sha256, size, registry.clock())
        if files.is_blob_referenced(db, sha256):
            return False
        registry.blobs.delete(sha256)
    return True
