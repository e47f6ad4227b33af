"""Replace a converted package by the package that its author uploads or promotes."""

from __future__ import annotations

from twofold.server.context import Transaction
from twofold.server.model import StoredFile
from twofold.server.store import files


def can_replace(taken: StoredFile | None, sha256: str) -> bool:
    """Whether the holder of a name is a converted package, and the other file another one."""
    return taken is not None and taken.made_from is not None and taken.sha256 != sha256


def replace_converted(change: Transaction, converted: StoredFile) -> StoredFile | None:
    """Free the name of a converted package; its record stays, deleted and under another name.

    Returns the file that has the name now: None.
    """
    files.update_file(
        change.db,
        converted.id,
        deleted_at=converted.deleted_at or change.at,
        filename=f"{converted.filename}~{converted.sha256[:12]}",
    )
    change.audit("replace-converted", converted.basename, sha256=converted.sha256)
    return files.find_file(change.db, change.channel.id, converted.subdir, converted.filename)


def is_new_or_replaces(file: StoredFile, taken: StoredFile | None) -> bool:
    """Whether a promoted file has a free name, or is its author's and replaces a converted one."""
    return taken is None or (file.made_from is None and can_replace(taken, file.sha256))
