"""Renders pages on write, in the transaction of the change.

The cost of a simple page grows with the project's files, that of a shard with the packages of its
name; neither grows with the channel.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from twofold.errors import Unreachable
from twofold.server.admission.checks import find_prefix
from twofold.server.auth import permissions
from twofold.server.model import Actor, Channel, Page, Project, StoredFile
from twofold.server.pages import conda_records, simple_pages
from twofold.server.store import Connection, Database, accounts, channels, files, pages

log = logging.getLogger("twofold.server")

#: How long a reader waits until the page that was rendered for it can be stored (seconds).
SAVE_PATIENCE = 0.2

JSON, HTML = "json", "html"
MAIN, PRE = "main", "pre"

#: Part of a project's JSON page that lists no file.
NO_FILES = b'"files":[]'


def simple_page_key(label: str, form: str, project: str) -> str:
    """Return the database key of a project's simple page."""
    return f"simple/{label}/{form}/{project}"


def render_project(
    db: Connection, channel: Channel, project: Project, serial: int, gone: Iterable[str] = ()
) -> None:
    """Render a project's simple page as JSON and HTML, for each of its labels and `gone`.

    A project of which every file was deleted has no page, under no label.
    """
    for label, page in build_project_pages(db, channel, project, gone).items():
        if page is None:
            _remove_simple_page(db, channel, project.key, serial, label)
        else:
            _set_simple_page(db, channel, project.key, serial, label, page)


def build_project_pages(
    db: Connection, channel: Channel, project: Project, gone: Iterable[str] = ()
) -> dict[str, dict[str, Any] | None]:
    """Build the JSON value of a project's simple page, by label; None for a deleted project."""
    every = files.list_project_files(db, project.id, deleted=True)
    python = [file for file in every if not file.kind.is_conda]
    namespace = find_namespace(db, channel, project.key, lambda: next(iter(every), None))
    is_deleted = all(file.deleted_at is not None for file in python)
    found: dict[str, dict[str, Any] | None] = {}
    for label in {index_label(name) for file in python for name in file.labels}.union(gone):
        shown = [
            file
            for file in python
            if file.deleted_at is None and label in map(index_label, file.labels)
        ]
        page = simple_pages.build_project_page(project, shown, namespace)
        found[label] = None if is_deleted else page
    return found


def index_label(label: str) -> str:
    """Return the label whose page lists a label's files: pip skips pre-releases itself."""
    return MAIN if label == PRE else label


def _remove_simple_page(
    db: Connection, channel: Channel, project: str, serial: int, label: str
) -> None:
    for form in (JSON, HTML):
        pages.remove_page(db, channel.id, simple_page_key(label, form, project))
    channels.mark_names_changed(db, channel.id, serial)


def _set_simple_page(
    db: Connection,
    channel: Channel,
    project: str,
    serial: int,
    label: str,
    page: dict[str, Any],
) -> None:
    before = pages.find_page(db, channel.id, simple_page_key(label, JSON, project))
    if before is None or (NO_FILES in before.body) is bool(page["files"]):
        channels.mark_names_changed(db, channel.id, serial)  # deleted projects leave the list
    for form, body in (
        (JSON, simple_pages.render_project_json(page, serial)),
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
    """Render the shards of these files' names, under their present and past labels.

    Returns the (label, subdir) pairs that changed.
    """
    places: dict[tuple[str, str], set[str]] = {}
    for file in changed:
        if file.kind.is_conda:
            places.setdefault((file.subdir, file.name), set()).update(file.labels, labels)
    render_subdirs(db, channel, places, serial, at)
    return {(label, subdir) for (subdir, _), affected in places.items() for label in affected}


def render_subdirs(
    db: Connection,
    channel: Channel,
    subdirs: Mapping[tuple[str, str], Iterable[str]],
    serial: int,
    at: datetime,
) -> None:
    """Render the shards of these (subdir, name) pairs under these labels."""
    for (subdir, name), affected in subdirs.items():
        found = files.list_conda_files(db, channel.id, subdir, name)
        for label in affected:
            shown = [file for file in found if label in file.labels and file.yanked is None]
            body = conda_records.render_shard(shown) if shown else b""
            sha256 = hashlib.sha256(body).hexdigest() if body else ""
            shard = pages.Shard(sha256, body)
            pages.save_shard(db, channel.id, (label, subdir, name), shard, serial, at)


def make_etag(body: bytes) -> str:
    """Return a strong ETag for a page."""
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def find_namespace(
    db: Connection, channel: Channel, key: str, first: Callable[[], StoredFile | None]
) -> Mapping[str, Any] | None:
    """Return the value of `namespace` (PEP 752); `first` returns the project's oldest file."""
    owners = channels.list_prefixes(db, channel.id)
    prefix = find_prefix(key, owners)
    if prefix is None:
        return None
    oldest = first()
    uploader_id = oldest.uploader_id if oldest is not None else None
    user = accounts.find_user_by_id(db, uploader_id) if uploader_id is not None else None
    actor = Actor(user, operator=user is None)
    authorized = permissions.can_use_prefix(db, actor, channel, owners[prefix])
    return {"prefix": prefix, "authorized": authorized, "open": False}


def rerender_prefixes(db: Connection, channel_id: int, prefixes: Iterable[str]) -> None:
    """Lock the channel and render the pages of all projects under these prefixes."""
    channel = channels.lock_channel(db, channel_id)
    for project in channels.list_projects_under(db, channel_id, prefixes):
        render_project(db, channel, project, channel.serial)


def rerender_for_user(db: Connection, user_id: int) -> None:
    """Render the pages that depend on a user or organisation and its members (PEP 752)."""
    for channel_id, prefixes in sorted(channels.list_prefixes_for_user(db, user_id).items()):
        rerender_prefixes(db, channel_id, prefixes)


def save_page(database: Database, channel_id: int, key: str, page: Page) -> None:
    """Store a page rendered for a reader, who gets it even if the write fails.

    The reader does not wait for writers: the next one renders the page again.
    """
    try:
        with database.write_soon(SAVE_PATIENCE) as db:
            pages.save_page(db, channel_id, key, page)
    except (OSError, Unreachable) as error:
        log.error(json.dumps({"failed": "keeping", "page": key, "reason": str(error)}))
