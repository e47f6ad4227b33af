"""Replace a converted package by the package that its author uploads or promotes."""

from __future__ import annotations

from twofold.server.context import Transaction
from twofold.server.model import StoredFile
from twofold.server.store import files


def can_replace(taken: StoredFile | None, sha256: str) -> bool:
    """Whether the holder of a name is a converted package, and the other file another one."""
    return taken is not None and taken.made_from is not None and taken.sha256 != sha256


def replace_converted(change: Transaction, converted: StoredFile) -> None:
    """Free the name of a converted package; its record stays, deleted and under another name."""
    files.update_file(
        change.db,
        converted.id,
        deleted_at=converted.deleted_at or change.at,
        filename=f"{converted.filename}~{converted.sha256[:12]}",
    )
    change.audit("replace-converted", converted.basename, sha256=converted.sha256)
