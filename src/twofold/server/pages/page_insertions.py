"""Adds new files to the pages that list them, in the transaction of the upload.

The pages get what rendering them again gives, at a cost that hardly grows with the project's files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime

from twofold.index.page_insertion import ProjectPages, insert_listings, insert_record
from twofold.server.model import Channel, Page, Project, StoredFile
from twofold.server.pages import page_updates, simple_pages
from twofold.server.pages.page_updates import HTML, JSON, NO_FILES, index_label, simple_page_key
from twofold.server.store import Connection, files, pages, projects


def add_files(
    db: Connection,
    channel: Channel,
    project: Project,
    added: Sequence[StoredFile],
    serial: int,
    at: datetime,
) -> set[tuple[str, str]]:
    """Add new files of a project to its pages; returns the (label, subdir) pairs that changed."""
    python = [file for file in added if not file.kind.is_conda]
    if python and not _add_to_simple_pages(db, channel, project, python, serial):
        page_updates.render_project(db, channel, project, serial)
    places = set()
    for file in added:
        for label in file.labels if file.kind.is_conda else ():
            place = (label, file.subdir, file.name)
            places.add((label, file.subdir))
            if not _add_to_shard(db, channel, place, file, serial, at):
                names = {(file.subdir, file.name): [label]}
                page_updates.render_subdirs(db, channel, names, serial, at)
    return places


def _add_to_shard(
    db: Connection,
    channel: Channel,
    place: tuple[str, str, str],
    file: StoredFile,
    serial: int,
    at: datetime,
) -> bool:
    before = pages.find_shard_of(db, channel.id, place)
    if before is None or file.yanked is not None or not file.record:
        return False
    body = insert_record(before, file.filename, json.loads(file.record))
    if body is None:
        return False
    shard = pages.Shard(hashlib.sha256(body).hexdigest(), body)
    pages.save_shard(db, channel.id, place, shard, serial, at)
    return True


def _add_to_simple_pages(
    db: Connection, channel: Channel, project: Project, added: Sequence[StoredFile], serial: int
) -> bool:
    """Add files to the pages of their labels; pages of other labels get the new serial."""
    if project.status == "quarantined" or any(file.yanked is not None for file in added):
        return False
    namespace = page_updates.find_namespace(
        db, channel, project.key, lambda: projects.find_first_file(db, project.id)
    )
    shell = simple_pages.build_project_page(project, (), namespace)
    made: dict[str, ProjectPages] = {}
    for label in sorted({index_label(name) for name in files.list_labels(db, channel.id)}):
        own = [file for file in added if label in map(index_label, file.labels)]
        before = _find_pages(db, channel, project, label)
        if before is None:
            if own:
                return False
            continue
        pair, old_serial = before
        if NO_FILES in pair.json:
            return False
        found = insert_listings(
            pair,
            (
                simple_pages.with_serial(shell, old_serial),
                simple_pages.with_serial(shell, serial),
            ),
            [simple_pages.make_listing(project, file) for file in own],
            lambda filename: projects.get_version(db, channel.id, filename),
        )
        if found is None:
            return False
        made[label] = found
    for label, both in made.items():
        for form, body in ((JSON, both.json), (HTML, both.html)):
            page = Page(body, page_updates.make_etag(body), serial)
            pages.save_page(db, channel.id, simple_page_key(label, form, project.key), page)
    return True


def _find_pages(
    db: Connection, channel: Channel, project: Project, label: str
) -> tuple[ProjectPages, int] | None:
    """Return a project's pages under a label, and the serial they were made at."""
    found = [
        pages.find_page(db, channel.id, simple_page_key(label, form, project.key))
        for form in (JSON, HTML)
    ]
    if found[0] is None or found[1] is None:
        return None
    return ProjectPages(found[0].body, found[1].body), found[0].serial
