"""The quick reader of a registry, where its store has one."""

from __future__ import annotations

from twofold.server.registry import Registry
from twofold.server.store.fast_reads import CachedFile, FastReader

__all__ = ["CachedFile", "FastReader", "open_fast_reader"]


def open_fast_reader(registry: Registry) -> FastReader | None:
    """For the thread that calls; None unless records are in SQLite and blobs in local files."""
    if registry.database.is_sqlite and registry.blobs.folder is not None:
        return FastReader(registry.database)
    return None
