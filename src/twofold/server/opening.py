"""Opens the registry on its store, for the server and for `twofold admin`, which needs no web.

Commands that only list open the database; what the registry needs for its changes is imported when
it is opened.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from twofold.server.settings import Settings
from twofold.server.store import Blobs, Database
from twofold.server.store.copy_database import check_no_move

if TYPE_CHECKING:
    from twofold.server.context import Registry


def open_database(settings: Settings) -> Database:
    """Open the database and apply pending migrations.

    Raises TwofoldError for a database of a newer version or the target of an unfinished move.
    """
    _make_private(settings.data)
    database = Database(settings.database_url)
    database.migrate()
    with database.read() as db:
        check_no_move(db)
    return database


def open_registry(settings: Settings) -> Registry:
    """Open the registry on its database, as `open_database` does, and complete its search index."""
    from twofold.server.context import Registry
    from twofold.server.registry.browsing.search_index import fill_search_index
    from twofold.server.spool_lock import SpoolLock

    roots = read_trust_roots(settings.trust_root) if settings.trust_root else ()
    database = open_database(settings)
    blobs = Blobs(settings.objects_url)
    registry = Registry(
        database,
        blobs,
        settings.spool,
        trust_roots=roots,
        spool_lock=SpoolLock(settings.data),
        webhook_hosts=frozenset(settings.webhook_hosts),
    )
    fill_search_index(registry)
    return registry


def _make_private(folder: Path) -> None:
    """Make the data folder, or close one of ours, for its owner alone.

    It holds hashes of passwords and tokens, the passwords of upstreams and private packages.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if os.name != "nt" and folder.stat().st_uid == os.geteuid():
        folder.chmod(0o700)


def read_trust_roots(path: Path) -> tuple[Any, ...]:
    """Read the certificates under which attestations must be signed. Raises TwofoldError."""
    from twofold.server.auth.attestations import read_roots

    return read_roots(path)
