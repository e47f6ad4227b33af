"""What a change makes of the pages: rendered on write, in the transaction of the change.

A project's simple page costs as much as the project has files, a shard as much as its name has
packages: neither grows with the channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from twofold.server.model import Channel, Page, Project, StoredFile
from twofold.server.pages import conda_records, simple_pages, v3_records
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.pages.namespace import find_namespace
from twofold.server.store import Connection, channels, files, pages

JSON, HTML = "json", "html"
MAIN, PRE = "main", "pre"


def simple_page_key(label: str, form: str, project: str) -> str:
    return f"simple/{label}/{form}/{project}"


def render_project(
    db: Connection, channel: Channel, project: Project, serial: int, gone: Iterable[str] = ()
) -> None:
    """The project's simple page in both forms, for every label its files have (or had: `gone`).

    A name stays known when its files are deleted: its page is then empty, and not 404.
    """
    for label, page in build_project_pages(db, channel, project, gone).items():
        _set_simple_page(db, channel, project.key, serial, label, page)


def build_project_pages(
    db: Connection, channel: Channel, project: Project, gone: Iterable[str] = ()
) -> dict[str, dict[str, Any]]:
    """By label: the JSON value of the project's simple page, from the records as they are."""
    every = files.list_project_files(db, project.id, deleted=True)
    python = [file for file in every if not file.kind.is_conda]
    namespace = find_namespace(db, channel, project.key, every)
    found = {}
    for label in {index_label(name) for file in python for name in file.labels}.union(gone):
        shown = [
            file
            for file in python
            if file.deleted_at is None and label in map(index_label, file.labels)
        ]
        found[label] = simple_pages.build_project_page(project, shown, namespace)
    return found


def index_label(label: str) -> str:
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
    if not pages.has_page(db, channel.id, simple_page_key(label, JSON, project)):
        channels.mark_names_changed(db, channel.id, serial)
    for form, body in (
        (JSON, simple_pages.render_project_json(page)),
        (HTML, simple_pages.render_project_html(page)),
    ):
        key = simple_page_key(label, form, project)
        pages.save_page(db, channel.id, key, Page(body, make_etag(body), serial))


def render_shards(
    db: Connection,
    channel: Channel,
    changed: Iterable[StoredFile],
    serial: int,
    at: datetime,
    labels: Iterable[str] = (),
) -> set[tuple[str, str]]:
    """The shards of the names of these files, under every label they have or had.

    Returns the (label, subdir) that changed.
    """
    places: dict[tuple[str, str], set[str]] = {}
    lists_wheels = from_settings(channel.settings).v3
    for file in changed:
        if file.kind.is_conda:
            places.setdefault((file.subdir, file.name), set()).update(file.labels, labels)
        elif lists_wheels and v3_records.is_pure_wheel(file):
            name = v3_records.conda_project_name(channels.get_project(db, file.project_id))
            places.setdefault((v3_records.NOARCH, name), set()).update(file.labels, labels)
    render_subdirs(db, channel, places, serial, at)
    return {(label, subdir) for (subdir, _), affected in places.items() for label in affected}


def render_subdirs(
    db: Connection,
    channel: Channel,
    subdirs: Mapping[tuple[str, str], Iterable[str]],
    serial: int,
    at: datetime,
) -> None:
    """The shards of these (subdir, name) under these labels."""
    lists_wheels = from_settings(channel.settings).v3
    for (subdir, name), affected in subdirs.items():
        found = files.list_conda_files(db, channel.id, subdir, name)
        for label in affected:
            shown = [file for file in found if label in file.labels and file.yanked is None]
            wheels = {}
            if lists_wheels and subdir == v3_records.NOARCH:
                wheels = v3_records.build_v3_records(db, channel, name, label)
            body = conda_records.render_shard(shown, wheels) if shown or wheels else b""
            sha256 = hashlib.sha256(body).hexdigest() if body else ""
            pages.save_shard(db, channel.id, (label, subdir, name), sha256, body, serial, at)


def make_etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
