"""The database and the objects: can they be written, do they agree, and is the clock right?"""

from __future__ import annotations

import hashlib
import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from twofold.server.doctor.findings import CLOCK_SKEW, ERROR, OK, WARNING, Finding, compare_clocks
from twofold.server.model import now
from twofold.server.settings import Settings
from twofold.server.store import Blobs, Database, audit
from twofold.server.store.copy_database import check_no_move
from twofold.server.store.files import list_recorded_blobs
from twofold.server.store.revisions import list_revisions

#: Seconds to wait for the database's lock: longer than any transaction of the server takes.
PATIENCE = 5.0

#: Objects that are compared with their records; 'verify' reads all.
SAMPLE = 100


def check_database(settings: Settings) -> Iterator[Finding]:
    """Check schema, soundness and lock of the database, and the clock by its newest entry."""
    if not settings.database and not (settings.data / "registry.sqlite").is_file():
        text = f"there is no registry in {settings.data}"
        yield Finding("database", ERROR, text, "name the --data of 'serve', or start it once")
        return
    database = Database(settings.database_url)
    try:
        schema = _compare_schema(database)
        yield schema
        if schema.state != OK:
            return
        before, clock = now(), database.read_clock()
        with database.read() as db:
            check_no_move(db)
            newest = audit.find_newest_time(db)
        for problem in database.find_damage():
            yield Finding("database", ERROR, f"SQLite: {problem}", "restore a backup")
        if clock is not None:
            yield compare_clocks("the database server", clock, before)
        elif newest is not None and newest > now() + CLOCK_SKEW:
            text = f"the audit log's newest entry is of {newest:%Y-%m-%d %H:%M:%S}, in the future"
            yield Finding("clock", ERROR, text, "set this machine's clock by NTP")
        else:
            yield Finding("clock", OK, f"{before:%Y-%m-%d %H:%M:%S} UTC")
        database.check_writable(PATIENCE)
    finally:
        database.close()


def _compare_schema(database: Database) -> Finding:
    own, known = database.read_revision(), list_revisions()
    newest = known[-1]
    if own == newest:
        return Finding("database", OK, f"{database.url.get_backend_name()}, schema {own}")
    if not own and (tables := database.count_tables()):
        text = f"the database has {tables} tables of another program, and none of twofold's"
        return Finding("database", WARNING, text, "name the database of 'serve', or a new one")
    if own in ("", *known):
        text = f"the schema is {own or 'empty'}; starting this twofold upgrades it to {newest}"
        return Finding("database", WARNING, text, "back the database up before")
    text = f"the schema {own} is of a newer twofold than this"
    return Finding("database", ERROR, text, "install that version, or restore a backup")


def check_objects(settings: Settings) -> Iterator[Finding]:
    """Write, read and delete an object, and look at some that are there."""
    if "://" not in settings.objects_url and not Path(settings.objects_url).is_dir():
        text = f"there is no folder {settings.objects_url}"
        yield Finding("objects", ERROR, text, "name the --objects of 'serve', or start it once")
        return
    blobs = Blobs(settings.objects_url)
    blobs.check_reachable()
    content = f"probe of twofold admin doctor {os.urandom(8).hex()}".encode()
    sha256 = hashlib.sha256(content).hexdigest()
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / sha256
        probe.write_bytes(content)
        blobs.put(sha256, probe)
    try:
        is_kept = blobs.read(sha256) == content
    finally:
        blobs.delete(sha256)
    place = settings.objects_url.partition("?")[0]
    if is_kept:
        yield Finding("objects", OK, f"written, read and deleted in {place}")
    else:
        yield Finding("objects", ERROR, f"{place} returns other bytes than were written")


def check_sample(settings: Settings) -> Iterator[Finding]:
    """Compare the sizes of some objects with their records, where both stores can be read."""
    database = Database(settings.database_url)
    try:
        with database.read() as db:
            recorded = list_recorded_blobs(db)
    finally:
        database.close()
    blobs = Blobs(settings.objects_url)
    sample = random.sample(sorted(recorded.items()), min(SAMPLE, len(recorded)))
    wrong = [sha256 for sha256, size in sample if _find_size(blobs, sha256) != size]
    if not wrong:
        if sample:
            yield Finding("files", OK, f"{len(sample)} of {len(recorded)} objects are there")
        return
    text = f"{len(wrong)} of {len(sample)} objects are missing or cut off, {wrong[0]} for one"
    hint = "run 'twofold admin verify', with --repair-from where there is a copy"
    yield Finding("files", ERROR, text, hint)


def _find_size(blobs: Blobs, sha256: str) -> int:
    try:
        return blobs.size(sha256)
    except FileNotFoundError:
        return -1
