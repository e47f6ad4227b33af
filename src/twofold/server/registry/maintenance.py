"""Maintenance of the store: verify blobs and pages, collect garbage, migrate storage."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.pages.page_updates import HTML, JSON, build_project_pages, simple_page_key
from twofold.server.registry.undelete import list_kept_blobs
from twofold.server.store import Blobs, Connection, Database, channels, files, pages
from twofold.server.store.blob_refs import delete_unreferenced
from twofold.server.store.copy_database import copy_tables, describe_source, mark_target

#: The age from which an unreferenced blob is deleted: longer than any upload takes.
GRACE_PERIOD = timedelta(days=1)

Progress = Callable[[str], None]


@dataclass
class VerifyReport:
    """Result of `verify`: hashes of blobs, and pages that disagree with the records."""

    checked: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    stale_pages: list[str] = field(default_factory=list)

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged, missing or stale."""
        return not (self.damaged or self.missing or self.stale_pages)


def verify(registry: Registry, repair_from: Blobs | None = None) -> VerifyReport:
    """Compare every blob with its hash, and every page with the records.

    Damaged and missing blobs are copied from `repair_from` if they are intact there.
    """
    verdict = VerifyReport()
    with registry.database.read() as db:
        wanted = files.list_recorded_blobs(db)
    there = {blob.sha256 for blob in registry.blobs.list_all()}
    verdict.unused = sorted(there - set(wanted))
    for sha256, size in sorted(wanted.items()):
        verdict.checked += 1
        verdict.size += size
        if sha256 in there and registry.blobs.compute_hash(sha256) == sha256:
            continue
        if repair_from is not None and _repair(registry, sha256, repair_from):
            verdict.repaired.append(sha256)
        else:
            (verdict.damaged if sha256 in there else verdict.missing).append(sha256)
    with registry.database.read() as db:
        still = files.list_recorded_blobs(db)  # deleted meanwhile, so collected
        verdict.missing = [sha256 for sha256 in verdict.missing if sha256 in still]
        for channel in channels.list_channels(db):
            verdict.stale_pages += _find_stale_simple_pages(db, channel)
            verdict.stale_pages += _find_stale_shards(db, channel)
    return verdict


def _repair(registry: Registry, sha256: str, source: Blobs) -> bool:
    """Copy a blob from another store; False when it is not intact there either."""
    folder = _scratch_folder(registry)
    try:
        copy = folder / sha256
        if source.compute_hash(sha256) != sha256:
            return False
        source.fetch(sha256, copy)
        registry.blobs.delete(sha256)
        registry.blobs.put(sha256, copy)
    except FileNotFoundError:
        return False
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return registry.blobs.compute_hash(sha256) == sha256


def _scratch_folder(registry: Registry) -> Path:
    registry.spool.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix="upkeep-", dir=registry.spool))


def _find_stale_simple_pages(db: Connection, channel: Channel) -> list[str]:
    """Find simple pages that disagree with the records, in JSON or HTML."""
    found = []
    for project in channels.list_projects(db, channel.id):
        for label, value in build_project_pages(db, channel, project).items():
            json_page = pages.find_page(db, channel.id, simple_page_key(label, JSON, project.key))
            html_page = pages.find_page(db, channel.id, simple_page_key(label, HTML, project.key))
            if value is None:
                if json_page or html_page:
                    found.append(f"{channel.name}/label/{label}/simple/{project.key}")
                continue
            stored = json.loads(json_page.body) if json_page else {}
            links = html_page.body.count(b"<a ") if html_page else -1
            if _comparable_page(stored) != _comparable_page(value) or links != len(value["files"]):
                found.append(f"{channel.name}/label/{label}/simple/{project.key}")
    return found


def _comparable_page(page: Mapping[str, Any]) -> object:
    """The comparable parts of a page; pages of older versions hold fewer fields."""
    stored = [
        (file["filename"], file["hashes"]["sha256"], file.get("yanked", False))
        for file in page.get("files", ())
    ]
    return stored, page.get("project-status"), page.get("namespace")


def _find_stale_shards(db: Connection, channel: Channel) -> list[str]:
    """Find shards that disagree with the records."""
    return [
        f"{channel.name}/label/{label}/{subdir}: {package}"
        for label, subdir, package in pages.list_inconsistent_shards(db, channel.id)
    ]


def collect_garbage(registry: Registry, dry_run: bool = False) -> list[str]:
    """Delete unreferenced blobs and leftover uploads older than a day; return the hashes.

    So are the shards of a day ago that no list names any more.
    """
    limit = registry.clock() - GRACE_PERIOD
    with registry.database.read() as db:
        wanted = files.list_recorded_blobs(db)
    kept = list_kept_blobs(registry)
    unused = {
        blob.sha256: blob.size
        for blob in registry.blobs.list_all()
        if blob.sha256 not in wanted and blob.sha256 not in kept and blob.written_at < limit
    }
    if dry_run:
        return list(unused)
    _delete_leftovers(registry, limit)
    with registry.database.write() as db:
        pages.delete_unlisted_shards(db, limit)
    at = registry.clock()
    return [
        sha256
        for sha256, size in unused.items()
        if delete_unreferenced(registry.database, registry.blobs, sha256, size, at)
    ]


def _delete_leftovers(registry: Registry, limit: datetime) -> None:
    for part in registry.blobs.list_leftovers(limit):
        part.unlink(missing_ok=True)
    if not registry.spool.is_dir():
        return
    for left in registry.spool.iterdir():
        if datetime.fromtimestamp(left.stat().st_mtime, UTC) >= limit:
            continue
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


def migrate_storage(
    registry: Registry,
    database: Database,
    blobs: Blobs,
    progress: Progress,
    replace: bool = False,
) -> tuple[int, int]:
    """Copy the whole registry to another database and object store.

    Objects first, each verified after it was written; those that are there whole are not sent
    again, so that a move that was cut off goes on. Then the records, in one transaction. The
    target is marked until then, and no server opens it. The source is only read; stop its server
    before. Returns how many objects and rows there are. Raises TwofoldError for a target that
    holds something, unless it may be replaced.
    """
    database.migrate()
    mark = describe_source(registry.database, registry.blobs.url)
    with database.serialized_write() as db:
        mark_target(db, mark, replace)
    with registry.database.read() as db:
        wanted = files.list_recorded_blobs(db)
    there = {blob.sha256: blob.size for blob in blobs.list_all()}
    folder = _scratch_folder(registry)
    try:
        for number, (sha256, size) in enumerate(sorted(wanted.items()), 1):
            if there.get(sha256) != size or blobs.compute_hash(sha256) != sha256:
                _copy_object(registry.blobs, blobs, sha256, folder / sha256)
            if number % 100 == 0 or number == len(wanted):
                progress(f"{number} of {len(wanted)} objects")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    with registry.database.read() as source, database.write() as target:
        rows = copy_tables(source, target, mark, progress)
    return len(wanted), rows


def _copy_object(source: Blobs, target: Blobs, sha256: str, copy: Path) -> None:
    source.fetch(sha256, copy)
    target.delete(sha256)
    target.put(sha256, copy)
    copy.unlink()
    if target.compute_hash(sha256) != sha256:
        raise TwofoldError(
            f"object {sha256} is damaged",
            "run 'twofold admin verify' on the source; the move can then go on",
        )
