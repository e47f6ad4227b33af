"""What a change makes of the pages: rendered on write, in the transaction of the change.

A project's simple page costs as much as the project has files, a shard as much as its name has
packages: neither grows with the channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from twofold.server import wheel_records
from twofold.server.manner import manner_of
from twofold.server.model import Channel, Page, Project, Stored
from twofold.server.namespaces import namespace_of
from twofold.server.rendering import conda, simple
from twofold.server.store import Connection, channels, files, pages

JSON, HTML = "json", "html"
MAIN, PRE = "main", "pre"


def simple_key(label: str, form: str, project: str) -> str:
    return f"simple/{label}/{form}/{project}"


def render_project(
    db: Connection, channel: Channel, project: Project, serial: int, gone: Iterable[str] = ()
) -> None:
    """The project's simple page in both forms, for every label its files have (or had: `gone`).

    A name stays known when its files are deleted: its page is then empty, and not 404.
    """
    for label, page in project_pages(db, channel, project, gone).items():
        _set_simple_page(db, channel, project.key, serial, label, page)


def project_pages(
    db: Connection, channel: Channel, project: Project, gone: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """By label: the JSON value of the project's simple page, from the records as they are."""
    every = files.files_of_project(db, project.id, deleted=True)
    python = [file for file in every if not file.kind.is_conda]
    namespace = namespace_of(db, channel, project.key, every)
    found = {}
    for label in {page_label(name) for file in python for name in file.labels}.union(gone):
        shown = [
            file
            for file in python
            if file.deleted_at is None and label in map(page_label, file.labels)
        ]
        found[label] = simple.project_page(project, shown, namespace)
    return found


def page_label(label: str) -> str:
    """Under which label's page a label's files are shown: pip itself leaves pre-releases out."""
    return MAIN if label == PRE else label


def _set_simple_page(
    db: Connection,
    channel: Channel,
    project: str,
    serial: int,
    label: str,
    page: dict[str, Any],
) -> None:
    if not pages.has_page(db, channel.id, simple_key(label, JSON, project)):
        channels.names_changed(db, channel.id, serial)
    for form, body in (
        (JSON, simple.project_json(page)),
        (HTML, simple.project_html(page)),
    ):
        key = simple_key(label, form, project)
        pages.set_page(db, channel.id, key, Page(body, etag_of(body), serial))


def render_shards(
    db: Connection,
    channel: Channel,
    changed: Iterable[Stored],
    serial: int,
    at: datetime,
    labels: Iterable[str] = (),
) -> set[tuple[str, str]]:
    """The shards of the names of these files, under every label they have or had.

    Returns the (label, subdir) that changed.
    """
    places: dict[tuple[str, str], set[str]] = {}
    lists_wheels = manner_of(channel.settings).v3
    for file in changed:
        if file.kind.is_conda:
            places.setdefault((file.subdir, file.name), set()).update(file.labels, labels)
        elif lists_wheels and wheel_records.is_pure(file):
            name = wheel_records.name_of(channels.project_by_id(db, file.project_id))
            places.setdefault((wheel_records.NOARCH, name), set()).update(file.labels, labels)
    render_places(db, channel, places, serial, at)
    return {(label, subdir) for (subdir, _), affected in places.items() for label in affected}


def render_places(
    db: Connection,
    channel: Channel,
    places: Mapping[tuple[str, str], Iterable[str]],
    serial: int,
    at: datetime,
) -> None:
    """The shards of these (subdir, name) under these labels."""
    lists_wheels = manner_of(channel.settings).v3
    for (subdir, name), affected in places.items():
        found = files.conda_files(db, channel.id, subdir, name)
        for label in affected:
            shown = [file for file in found if label in file.labels and file.yanked is None]
            wheels = {}
            if lists_wheels and subdir == wheel_records.NOARCH:
                wheels = wheel_records.records_of(db, channel, name, label)
            body = conda.shard(shown, wheels) if shown or wheels else b""
            sha256 = hashlib.sha256(body).hexdigest() if body else ""
            pages.set_shard(db, channel.id, (label, subdir, name), sha256, body, serial, at)


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
