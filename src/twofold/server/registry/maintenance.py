"""Maintenance of the store: verify blobs and pages, collect garbage, migrate storage."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.model import Channel, Project
from twofold.server.pages.page_updates import HTML, JSON, build_project_pages, simple_page_key
from twofold.server.registry.leftovers import CHECKPOINT, GRACE_PERIOD, delete_old_leftovers
from twofold.server.registry.undelete import list_kept_blobs
from twofold.server.store import Blobs, Connection, Database, channels, files, pages
from twofold.server.store.blob_refs import delete_unreferenced, find_referenced, list_files_of_blobs
from twofold.server.store.blobs import StoredBlob
from twofold.server.store.copy_database import copy_tables, describe_source, mark_target
from twofold_build.atomic import write_if_changed

Progress = Callable[[str], None]


#: Seconds between two savings of how far a verification has come.
SAVE_EVERY = 5.0

#: Objects or projects between two messages of progress, and objects of a listing looked up at once.
REPORT_EVERY, BATCH = 1000, 1000


def ignore_progress(_text: str) -> None:
    """Report no progress."""


@dataclass
class VerifyReport:
    """Result of `verify`: hashes of blobs, and pages that disagree with the records.

    `files_of` has the files (`channel/basename`) of those damaged or missing.
    `last_blob` and `last_project` (channel id, key) say how far it has come.
    """

    checked: int = 0
    size: int = 0
    damaged: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    stale_pages: list[str] = field(default_factory=list)
    files_of: dict[str, list[str]] = field(default_factory=dict)
    last_blob: str = ""
    last_project: tuple[int, str] = (0, "")

    @property
    def is_sound(self) -> bool:
        """Whether nothing is damaged, missing or stale."""
        return not (self.damaged or self.missing or self.stale_pages)


class Checkpoint:
    """How far a verification has come, in a file that is used for a day, for the same store."""

    def __init__(self, registry: Registry, is_kept: bool) -> None:
        self._path = registry.spool / CHECKPOINT if is_kept else None
        self._store = describe_source(registry.database, registry.blobs.url)
        self._saved_at = time.monotonic()

    def load(self) -> VerifyReport:
        """Return what was found before an interruption."""
        if self._path is None or not self._path.is_file():
            return VerifyReport()
        age = time.time() - self._path.stat().st_mtime
        value = json.loads(self._path.read_text("utf-8"))
        if value.pop("store", None) != self._store or age > GRACE_PERIOD.total_seconds():
            return VerifyReport()
        report = VerifyReport(**value)
        report.last_project = (value["last_project"][0], value["last_project"][1])
        return report

    def save(self, report: VerifyReport, soon: bool = True) -> None:
        """Save a report now, or (`soon`) if the last saving was some seconds ago."""
        if self._path is None or (soon and time.monotonic() - self._saved_at < SAVE_EVERY):
            return
        self._saved_at = time.monotonic()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({**asdict(report), "store": self._store})
        write_if_changed(self._path, text.encode())

    def remove(self) -> None:
        """Forget a verification that has come to its end."""
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def verify(
    registry: Registry,
    repair_from: Blobs | None = None,
    progress: Progress = ignore_progress,
    resumes: bool = False,
) -> VerifyReport:
    """Compare every blob with its hash, and every page with the records.

    Damaged and missing blobs are copied from `repair_from` if they are intact there. With `resumes`
    it goes on where one that was interrupted within a day has stopped.
    """
    checkpoint = Checkpoint(registry, resumes)
    report = checkpoint.load()
    if report.checked:
        progress(f"going on after {report.checked} objects")
    try:
        _verify_blobs(registry, report, repair_from, progress, checkpoint)
        _verify_pages(registry, report, progress, checkpoint)
    except BaseException:
        checkpoint.save(report, soon=False)
        raise
    checkpoint.remove()
    return report


def _verify_blobs(
    registry: Registry,
    report: VerifyReport,
    repair_from: Blobs | None,
    progress: Progress,
    checkpoint: Checkpoint,
) -> None:
    with registry.database.read() as db:
        wanted = files.list_recorded_blobs(db)
    there = {blob.sha256 for blob in registry.blobs.list_all()}
    report.unused = sorted(there - set(wanted))
    again = {*report.damaged, *report.missing} & set(wanted)  # they may be repaired by now
    report.damaged, report.missing = [], []
    for sha256, size in sorted(wanted.items()):
        if sha256 <= report.last_blob and sha256 not in again:
            continue
        if sha256 not in again:
            report.checked += 1
            report.size += size
        if sha256 not in there or registry.blobs.compute_hash(sha256) != sha256:
            if repair_from is not None and _repair(registry, sha256, repair_from):
                report.repaired.append(sha256)
            else:
                (report.damaged if sha256 in there else report.missing).append(sha256)
        report.last_blob = max(report.last_blob, sha256)
        checkpoint.save(report)
        if report.checked % REPORT_EVERY == 0:
            progress(f"{report.checked} of {len(wanted)} objects")
    with registry.database.read() as db:
        still = files.list_recorded_blobs(db)  # deleted meanwhile, so collected
    report.missing = [sha256 for sha256 in report.missing if sha256 in still]
    with registry.database.read() as db:
        report.files_of = list_files_of_blobs(db, [*report.damaged, *report.missing])


def _verify_pages(
    registry: Registry, report: VerifyReport, progress: Progress, checkpoint: Checkpoint
) -> None:
    with registry.database.read() as db:
        every = sorted(channels.list_channels(db), key=lambda channel: channel.id)
    for channel in every:
        if channel.id < report.last_project[0]:
            continue
        with registry.database.read() as db:
            listed = sorted(channels.list_projects(db, channel.id), key=lambda one: one.key)
        for number, project in enumerate(listed, 1):
            if (channel.id, project.key) <= report.last_project:
                continue
            with registry.database.read() as db:
                report.stale_pages += _find_stale_simple_pages(db, channel, project)
            report.last_project = (channel.id, project.key)
            checkpoint.save(report)
            if number % REPORT_EVERY == 0:
                progress(f"{number} of {len(listed)} projects of {channel.name}")
        with registry.database.read() as db:
            report.stale_pages += _find_stale_shards(db, channel)


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


def _find_stale_simple_pages(db: Connection, channel: Channel, project: Project) -> list[str]:
    """Find a project's simple pages that disagree with the records, in JSON or HTML."""
    found = []
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


def collect_garbage(
    registry: Registry, dry_run: bool = False, progress: Progress = ignore_progress
) -> list[str]:
    """Delete unreferenced blobs and leftover uploads older than a day; return the hashes.

    So are the shards of a day ago that no list names any more. Each blob is deleted as it is found:
    after an interruption another run does what is left.
    """
    at = registry.clock()
    limit = at - GRACE_PERIOD
    if not dry_run:
        delete_old_leftovers(registry)
        with registry.database.write() as db:
            pages.delete_unlisted_shards(db, limit)
    removed: list[str] = []
    seen = 0
    for batch in _split(registry.blobs.list_all(), BATCH):
        seen += len(batch)
        old = {blob.sha256: blob.size for blob in batch if blob.written_at < limit}
        with registry.database.read() as db:
            unused = set(old) - find_referenced(db, old)
        if unused:  # read after the references: a file deleted in between is in one of both
            unused -= list_kept_blobs(registry)
        for sha256 in sorted(unused):
            size = old[sha256]
            if dry_run or delete_unreferenced(registry.database, registry.blobs, sha256, size, at):
                removed.append(sha256)
        if seen % (REPORT_EVERY * 10) == 0:
            progress(f"{seen} objects, {len(removed)} of them unreferenced")
    return removed


def _split(blobs: Iterable[StoredBlob], size: int) -> Iterator[list[StoredBlob]]:
    every = iter(blobs)
    while batch := list(islice(every, size)):
        yield batch


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
    try:
        source.fetch(sha256, copy)
    except FileNotFoundError:
        raise TwofoldError(
            f"object {sha256} is missing",
            "run 'twofold admin verify' on the source: it names its files, and with "
            "--repair-from OBJECTS fetches it from a copy; the move can then go on",
        ) from None
    target.delete(sha256)
    target.put(sha256, copy)
    copy.unlink()
    if target.compute_hash(sha256) != sha256:
        raise TwofoldError(
            f"object {sha256} is damaged",
            "run 'twofold admin verify' on the source; the move can then go on",
        )
