"""Fills what lists and searches show for the projects of an older version's store.

Batch by batch, each in its own transaction, so that a start that is killed goes on where it
stopped, and memory does not grow with the store.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from tempfile import mkdtemp

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.model import StoredFile
from twofold.server.pages.listing_updates import find_describing_file, update_listing
from twofold.server.registry.browsing.package_info import read_package_info
from twofold.server.store.search import contents, listings

log = logging.getLogger("twofold.server")

#: Projects of one transaction.
BATCH = 200

#: The largest package that is fetched to read its about.json (bytes); later uploads bring theirs.
MAX_PACKAGE = 64 << 20


def fill_search_index(registry: Registry) -> int:
    """Write the rows that are missing; return the number of projects. Safe in several processes."""
    with registry.database.read() as db:
        mark = listings.read_mark(db)
        if mark == listings.RULES:
            return 0
    rules, _, place = mark.partition(":")
    after = int(place) if rules == listings.RULES and place else 0
    count = 0
    while True:
        with registry.database.read() as db:
            batch = listings.list_projects_after(db, after, BATCH)
            sources = [find_describing_file(db, one) for _, one in batch]
        found = _read_about(registry, [file for file in sources if file is not None])
        with registry.database.write() as db:
            contents.lock_channels_of(db, [one for _, one in batch])
            contents.set_about(db, found)
            for channel_id, project_id in batch:
                listings.remove_listing(db, project_id)  # its tokens may follow other rules
                update_listing(db, channel_id, project_id)
            after = batch[-1][1] if batch else after
            listings.set_mark(db, f"{listings.RULES}:{after}" if batch else listings.RULES)
        if not batch:
            return count
        count += len(batch)
        if count % (10 * BATCH) == 0:
            log.info("search index: %d projects", count)


def _read_about(registry: Registry, sources: list[StoredFile]) -> list[tuple[int, str]]:
    """Return (id, about.json) of conda packages that were recorded without it."""
    found = []
    for file in sources:
        is_authors = file.kind.is_conda and file.made_from is None
        if is_authors and file.about is None and file.size <= MAX_PACKAGE:
            try:
                about = _fetch_about(registry, file)
            except (TwofoldError, OSError) as error:
                log.warning("about.json of %s was not read: %s", file.basename, error)
                continue
            if about is not None:
                found.append((file.id, about))
    return found


def _fetch_about(registry: Registry, file: StoredFile) -> str | None:
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="about-", dir=registry.spool))
    try:
        path = folder / file.filename
        registry.blobs.fetch(file.sha256, path)
        return read_package_info(path)[1]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
