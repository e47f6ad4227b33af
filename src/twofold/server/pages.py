"""What a change makes of the pages: rendered on write, in the transaction of the change.

A project's simple page costs as much as the project has files, a shard as much as its name has
packages: neither grows with the channel.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from twofold.server.model import Channel, Page, Project, Stored
from twofold.server.rendering import conda, simple
from twofold.server.store import Connection, channels, files, pages

JSON, HTML = "json", "html"


def simple_key(form: str, project: str) -> str:
    return f"simple/{form}/{project}"


def render_project(db: Connection, channel: Channel, project: Project, serial: int) -> None:
    """The project's simple page in both forms; none when it has no files on the PyPI side."""
    found = [file for file in files.files_of_project(db, project.id) if not file.kind.is_conda]
    if not found and not _has_python_side(db, project):
        return
    for form, body in (
        (JSON, simple.project_json(project, found)),
        (HTML, simple.project_html(project, found)),
    ):
        key = simple_key(form, project.key)
        pages.set_page(db, channel.id, key, Page(body, etag_of(body), serial))
    channels.change_project(db, project.id, serial=serial)


def _has_python_side(db: Connection, project: Project) -> bool:
    """Also when all its files were deleted: the name stays known, its page is empty."""
    everything = files.files_of_project(db, project.id, deleted=True)
    return any(not file.kind.is_conda for file in everything)


def render_shards(
    db: Connection,
    channel: Channel,
    changed: Iterable[Stored],
    serial: int,
    at: datetime,
    labels: Iterable[str] = (),
) -> None:
    """The shards of the names of these files, under every label they have or had."""
    places: dict[tuple[str, str], set[str]] = {}
    for file in changed:
        if file.kind.is_conda:
            places.setdefault((file.subdir, file.name), set()).update(file.labels, labels)
    for (subdir, name), affected in places.items():
        found = files.conda_files(db, channel.id, subdir, name)
        for label in affected:
            shown = [file for file in found if label in file.labels and file.yanked is None]
            body = conda.shard(shown) if shown else b""
            sha256 = hashlib.sha256(body).hexdigest() if shown else ""
            pages.set_shard(db, channel.id, (label, subdir, name), sha256, body, serial, at)


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'
