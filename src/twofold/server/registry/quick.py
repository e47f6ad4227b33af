"""The quick reader of a registry, where its store has one."""

from __future__ import annotations

from twofold.server.registry import Registry
from twofold.server.store.quick import QuickFile, QuickReader

__all__ = ["QuickFile", "QuickReader", "quick_reader"]


def quick_reader(registry: Registry) -> QuickReader | None:
    """For the thread that calls; None unless records are in SQLite and blobs in local files."""
    if registry.database.is_sqlite and registry.blobs.folder is not None:
        return QuickReader(registry.database)
    return None
