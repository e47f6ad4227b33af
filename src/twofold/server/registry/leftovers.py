"""What killed processes left: uploads in the spool, and unfinished files beside the blobs."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

from twofold.server.context import Registry

#: The age from which an unreferenced blob is deleted: longer than any upload takes.
GRACE_PERIOD = timedelta(days=1)

#: Where an interrupted verification has stopped, in the spool.
CHECKPOINT = "verify.json"

#: Begins the names of fetched databases of advisories, which are kept in the spool.
_KEPT = ("advisories-", CHECKPOINT)


def delete_old_leftovers(registry: Registry) -> None:
    """Delete what has been left for a day in the spool and beside the blobs."""
    limit = registry.clock() - GRACE_PERIOD
    for part in registry.blobs.list_leftovers(limit):
        part.unlink(missing_ok=True)
    _delete(registry.spool, limit)


def delete_leftovers(registry: Registry) -> None:
    """Delete all that is left, before this process uses the spool.

    While other processes use it, and of files beside the blobs, which may be another machine's,
    only what is a day old.
    """
    delete_old_leftovers(registry)
    if registry.spool_lock is not None:
        with registry.spool_lock.alone() as is_alone:
            if is_alone:
                _delete(registry.spool, None)


def _delete(spool: Path, before: datetime | None) -> None:
    """Delete what was last written before a time; without one, all but what is kept for later."""
    for left in spool.iterdir() if spool.is_dir() else ():
        written_at = datetime.fromtimestamp(left.lstat().st_mtime, UTC)
        if written_at >= before if before else left.name.startswith(_KEPT):
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)
