"""Storage: records in a database, bytes in an object store, without business rules.

Modules of functions that take a `Connection` (made by `Database.read` and `Database.write`), one
module per subject; `Blobs` for the bytes. One SQLAlchemy Core schema serves SQLite and PostgreSQL,
obstore serves local files and S3.

Order of writing: blob first, record second; on deletion record first, blobs are collected later.
So nothing half-published is ever visible, and no lock spans the two.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.server.store.blobs import Blobs, StoredBlob
    from twofold.server.store.database import Connection, Database

__all__ = ["Blobs", "Connection", "Database", "StoredBlob"]


def __getattr__(name: str) -> object:
    # A list of `twofold admin` reads by sqlite3 alone (`store.lists`), without SQLAlchemy.
    if name in ("Connection", "Database"):
        from twofold.server.store import database

        return getattr(database, name)
    if name in ("Blobs", "StoredBlob"):
        from twofold.server.store import blobs

        return getattr(blobs, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
