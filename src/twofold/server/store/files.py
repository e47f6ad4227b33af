"""Stored files, their labels and their blobs in the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import SimpleNamespace
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    bindparam,
    delete,
    func,
    insert,
    literal_column,
    select,
    update,
)

from twofold.artifact import Artifact, Kind
from twofold.server.model import StoredFile, from_text, to_text
from twofold.server.store.schema import blobs, channel_labels, files, labels, projects
from twofold.server.store.tables.inserts import insert_missing, inserted_id, make_insert


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to record: its artifact, and what the registry adds to it."""

    artifact: Artifact
    channel_id: int
    project_id: int
    at: datetime
    uploader_id: int | None = None
    record: str | None = None
    run_exports: str | None = None
    made_from: int | None = None
    remark: str | None = None
    provenance: str | None = None
    about: str | None = None
    uploaded_with: str | None = None


def add_file(db: Connection, new: NewFile, file_labels: Iterable[str]) -> StoredFile:
    """Record a file. Its name must be unused, and its blob recorded (`record_blob`)."""
    artifact = new.artifact
    values = {
        "channel_id": new.channel_id,
        "project_id": new.project_id,
        "subdir": artifact.subdir if artifact.kind.is_conda else "",
        "filename": artifact.filename,
        "kind": artifact.kind.value,
        "name": artifact.name,
        "version": artifact.version,
        "build": artifact.build,
        "build_number": artifact.build_number,
        "size": artifact.size,
        "sha256": artifact.sha256,
        "md5": artifact.md5,
        "requires_python": artifact.requires_python,
        "tags": json.dumps(artifact.tags),
        "depends": json.dumps(artifact.depends),
        "metadata": artifact.metadata,
        "record": new.record,
        "run_exports": new.run_exports,
        "uploaded_at": to_text(new.at),
        "uploader_id": new.uploader_id,
        "made_from": new.made_from,
        "remark": new.remark,
        "provenance": new.provenance,
        "about": new.about,
        "uploaded_with": new.uploaded_with,
    }
    file_id = inserted_id(db.execute(insert(files), values))
    own = frozenset(file_labels)
    _add_labels(db, new.channel_id, file_id, own)
    return _to_stored_file(_NewRow(id=file_id, yanked=None, deleted_at=None, **values), own)


class _NewRow(SimpleNamespace):
    """The columns of a row that was just inserted."""


def copy_file(
    db: Connection,
    file: StoredFile,
    channel_id: int,
    project_id: int,
    made_from: int | None,
    at: datetime,
) -> int:
    """Record a file of another channel in this one, with the same blob; returns its id."""
    row = dict(db.execute(select(files).where(files.c.id == file.id)).one()._mapping)
    del row["id"]
    row |= {"channel_id": channel_id, "project_id": project_id, "made_from": made_from}
    row |= {"uploaded_at": to_text(at), "deleted_at": None}
    return inserted_id(db.execute(insert(files).values(**row)))


def record_blob(db: Connection, sha256: str, size: int, at: datetime) -> bool:
    """Record a blob and lock its row; returns False if it was recorded before."""
    values = {"sha256": sha256, "size": size, "created_at": to_text(at)}
    created_at = db.execute(_record_blob(db.dialect.name), values).scalar_one()
    return bool(created_at == values["created_at"])


@cache
def _record_blob(dialect: str) -> Any:
    new = make_insert(dialect, blobs)
    held = new.on_conflict_do_update(index_elements=["sha256"], set_={"size": new.excluded.size})
    return held.returning(blobs.c.created_at)


def is_blob_referenced(db: Connection, sha256: str) -> bool:
    """Return whether any file that is not deleted references a blob."""
    query = select(files.c.id).where(files.c.sha256 == sha256, files.c.deleted_at.is_(None))
    return db.execute(query.limit(1)).first() is not None


def update_file(db: Connection, file_id: int, **values: Any) -> None:
    """Update columns of a file."""
    if isinstance(values.get("deleted_at"), datetime):
        values["deleted_at"] = to_text(values["deleted_at"])
    db.execute(update(files).where(files.c.id == file_id).values(**values))


def set_labels(db: Connection, channel_id: int, file_id: int, names: Iterable[str]) -> None:
    """Replace a file's labels; a label is created with its first file."""
    db.execute(delete(labels).where(labels.c.file_id == file_id))
    _add_labels(db, channel_id, file_id, names)


def _add_labels(db: Connection, channel_id: int, file_id: int, names: Iterable[str]) -> None:
    rows = [{"channel_id": channel_id, "label": name} for name in sorted(set(names))]
    if rows:
        db.execute(insert(labels), [{**row, "file_id": file_id} for row in rows])
        insert_missing(db, channel_labels, rows)


def add_label(db: Connection, channel_id: int, name: str) -> None:
    """Create a label without files, if it does not exist."""
    insert_missing(db, channel_labels, [{"channel_id": channel_id, "label": name}])


def remove_label(db: Connection, channel_id: int, name: str) -> None:
    """Remove a label; its files keep their other labels."""
    for table in (labels, channel_labels):
        db.execute(delete(table).where(table.c.channel_id == channel_id, table.c.label == name))


def lock_label(db: Connection, channel_id: int, name: str, locked: bool) -> None:
    """Lock or unlock a label."""
    where = (channel_labels.c.channel_id == channel_id) & (channel_labels.c.label == name)
    db.execute(update(channel_labels).where(where).values(locked=locked))


def list_labels(db: Connection, channel_id: int) -> dict[str, bool]:
    """Return label -> whether it is locked, for all labels of a channel."""
    rows = db.execute(_LABELS_OF_CHANNEL, {"channel_id": channel_id})
    return {name: bool(locked) for name, locked in rows}


def find_file_by_id(db: Connection, file_id: int) -> StoredFile | None:
    """Return the file with this id, or None."""
    return _fetch_one(db, _BY_ID, {"id": file_id})


def find_file(db: Connection, channel_id: int, subdir: str, filename: str) -> StoredFile | None:
    """Find a file, also a deleted one: filenames are never reused."""
    values = {"channel_id": channel_id, "subdir": subdir, "filename": filename}
    return _fetch_one(db, _BY_NAME, values)


def is_served() -> ColumnElement[bool]:
    """The condition for serving a file: not deleted, and its project not quarantined.

    `find_served_file` and the fast path (`store.fast_reads`) both query with it. It binds no
    values, so that it compiles to plain SQL.
    """
    quarantined = select(projects.c.id).where(projects.c.status == literal_column("'quarantined'"))
    return files.c.deleted_at.is_(None) & files.c.project_id.not_in(quarantined)


def find_served_file(
    db: Connection, channel_id: int, subdir: str, filename: str
) -> StoredFile | None:
    """Find a file that may be served to readers of the channel."""
    values = {"channel_id": channel_id, "subdir": subdir, "filename": filename}
    return _fetch_one(db, _SERVED_BY_NAME, values)


def list_project_files(db: Connection, project_id: int, deleted: bool = False) -> list[StoredFile]:
    """List a project's files in upload order."""
    query = select(files).where(files.c.project_id == project_id).order_by(files.c.id)
    return fetch_files(db, query if deleted else query.where(files.c.deleted_at.is_(None)))


def list_filenames(db: Connection, channel_id: int, subdir: str) -> set[str]:
    """Return the names of the files of a subdir that are not deleted."""
    query = select(files.c.filename).where(
        files.c.channel_id == channel_id, files.c.subdir == subdir, files.c.deleted_at.is_(None)
    )
    return set(db.execute(query).scalars())


def list_converted_packages(db: Connection, file_id: int) -> list[StoredFile]:
    """List the conda packages converted from a wheel."""
    query = select(files).where(files.c.made_from == file_id, files.c.deleted_at.is_(None))
    return fetch_files(db, query)


def list_conda_files(db: Connection, channel_id: int, subdir: str, name: str) -> list[StoredFile]:
    """List all packages of a name, sorted by filename.

    Sorted in Python: with ORDER BY, SQLite scans the whole subdir by filename.
    """
    query = select(files).where(
        files.c.channel_id == channel_id,
        files.c.subdir == subdir,
        files.c.name == name,
        files.c.deleted_at.is_(None),
    )
    return sorted(fetch_files(db, query), key=lambda file: file.filename)


def list_labelled_files(db: Connection, channel_id: int, label: str) -> list[StoredFile]:
    """List the files under a label in upload order."""
    query = (
        select(files)
        .join(labels, labels.c.file_id == files.c.id)
        .where(labels.c.channel_id == channel_id, labels.c.label == label)
        .where(files.c.deleted_at.is_(None))
        .order_by(files.c.id)
    )
    return fetch_files(db, query)


def read_records(
    db: Connection, channel_id: int, subdir: str, label: str
) -> Iterator[tuple[str, str, str | None]]:
    """Yield (filename, record, run_exports) of every package of a subdir, sorted by filename."""
    query = (
        select(files.c.filename, files.c.record, files.c.run_exports)
        .join(labels, labels.c.file_id == files.c.id)
        .where(files.c.channel_id == channel_id, files.c.subdir == subdir)
        .where(labels.c.label == label, files.c.deleted_at.is_(None), files.c.yanked.is_(None))
        .order_by(files.c.filename)
        .execution_options(yield_per=2000)
    )
    for row in db.execute(query):
        yield row.filename, row.record, row.run_exports


def list_subdirs(db: Connection, channel_id: int) -> list[str]:
    """List the subdirs that have packages, sorted."""
    query = select(files.c.subdir).where(
        files.c.channel_id == channel_id, files.c.subdir != "", files.c.deleted_at.is_(None)
    )
    return sorted(db.execute(query.distinct()).scalars())


def sum_sizes(db: Connection, channel_id: int) -> int:
    """Return the total size of a channel's files in bytes."""
    query = select(func.coalesce(func.sum(files.c.size), 0)).where(
        files.c.channel_id == channel_id, files.c.deleted_at.is_(None)
    )
    return int(db.execute(query).scalar_one())


def list_recorded_blobs(db: Connection) -> dict[str, int]:
    """Return SHA-256 -> size of every blob referenced by a file that is not deleted."""
    query = select(files.c.sha256, files.c.size).where(files.c.deleted_at.is_(None)).distinct()
    return {row.sha256: row.size for row in db.execute(query)}


# Statements of every upload and download are built once: building one costs as much as its run.
_BY_ID = select(files).where(files.c.id == bindparam("id"))
_BY_NAME = select(files).where(
    *(files.c[key] == bindparam(key) for key in ("channel_id", "subdir", "filename"))
)
_SERVED_BY_NAME = _BY_NAME.where(is_served())
_LABELS_OF_CHANNEL = select(channel_labels.c.label, channel_labels.c.locked).where(
    channel_labels.c.channel_id == bindparam("channel_id")
)
_LABELS = select(labels.c.file_id, labels.c.label).where(
    labels.c.file_id.in_(bindparam("ids", expanding=True))
)


def _fetch_one(
    db: Connection, query: Select[Any], values: Mapping[str, Any] | None = None
) -> StoredFile | None:
    found = fetch_files(db, query, values)
    return found[0] if found else None


def fetch_files(
    db: Connection, query: Select[Any], values: Mapping[str, Any] | None = None
) -> list[StoredFile]:
    """Return the files that a query of the table `files` selects, with their labels."""
    rows = db.execute(query, values).all()
    named: dict[int, set[str]] = {row.id: set() for row in rows}
    ids = list(named)
    for start in range(0, len(ids), 500):
        for file_id, label in db.execute(_LABELS, {"ids": ids[start : start + 500]}):
            named[file_id].add(label)
    return [_to_stored_file(row, frozenset(named[row.id])) for row in rows]


def _to_stored_file(row: Row[Any] | _NewRow, file_labels: frozenset[str]) -> StoredFile:
    return StoredFile(
        id=row.id,
        project_id=row.project_id,
        subdir=row.subdir,
        filename=row.filename,
        kind=Kind(row.kind),
        name=row.name,
        version=row.version,
        build=row.build,
        build_number=row.build_number,
        size=row.size,
        sha256=row.sha256,
        md5=row.md5,
        requires_python=row.requires_python,
        tags=tuple(json.loads(row.tags)),
        depends=tuple(json.loads(row.depends)),
        metadata=bytes(row.metadata),
        record=row.record,
        run_exports=row.run_exports,
        uploaded_at=from_text(row.uploaded_at),
        uploader_id=row.uploader_id,
        yanked=row.yanked,
        deleted_at=from_text(row.deleted_at) if row.deleted_at else None,
        made_from=row.made_from,
        remark=row.remark,
        provenance=row.provenance,
        labels=file_labels,
        about=row.about,
        uploaded_with=row.uploaded_with,
    )
