"""Storage: records in a database, bytes in an object store, without business rules.

Modules of functions that take a `Connection` (made by `Database.read` and `Database.write`), one
module per subject; `Blobs` for the bytes. One SQLAlchemy Core schema serves SQLite and PostgreSQL,
obstore serves local files and S3.

Order of writing: blob first, record second; on deletion record first, blobs are collected later.
So nothing half-published is ever visible, and no lock spans the two.
"""

from __future__ import annotations

from twofold.server.store.blobs import Blobs, StoredBlob
from twofold.server.store.database import Connection, Database

__all__ = ["Blobs", "Connection", "Database", "StoredBlob"]
