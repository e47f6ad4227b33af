"""Read-only queries of a channel's projects and files."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twofold.artifact import Kind
from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions, sort_newest_first, sort_versions
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Page, Project, StoredFile, View
from twofold.server.pages import page_updates, simple_pages
from twofold.server.store import channels, files
from twofold.server.store import pages as stored_pages


@dataclass(frozen=True)
class ReadableFile:
    """A file, whether its channel is public, which decides how it may be cached, and whether the
    channel sends readers of files to the object store.
    """

    file: StoredFile
    public: bool
    redirects: bool = False


def get_channel(
    registry: Registry,
    actor: Actor,
    name: str,
    action: Action = Action.READ,
    project: str | None = None,
) -> Channel:
    """Return the channel. Raises Refused if the actor lacks the permission."""
    with registry.database.read() as db:
        return require_channel(db, actor, name, action, project)


def get_simple_page(registry: Registry, view: View, name: str, form: str) -> tuple[Page, bool]:
    """Return a project's simple page, and whether the channel is public."""
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
        page = stored_pages.find_page(
            db, found.id, page_updates.simple_page_key(view.label, form, name)
        )
    if page is None:
        raise not_found(f"project '{name[:100]}' in channel '{view.channel}'")
    return page, found.public


def get_simple_index(registry: Registry, view: View, form: str) -> tuple[Page, bool]:
    """Return the list of projects, rendered on the first request after a change.

    JSON has the serial of each project, so any change renders it again; HTML has the names alone.
    """
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
        key = f"simple-index/{view.label}/{form}"
        page = stored_pages.find_page(db, found.id, key)
        serial = found.serial if form == page_updates.JSON else found.names_serial
        if page is not None and page.serial == serial:
            return page, found.public
        prefix = page_updates.simple_page_key(view.label, form, "")
        every = stored_pages.list_projects_with_page(db, found.id, prefix)
    body = (
        simple_pages.render_index_json(every, serial)
        if form == page_updates.JSON
        else simple_pages.render_index_html(every)
    )
    page = Page(body, page_updates.make_etag(body), serial)
    page_updates.save_page(registry.database, found.id, key, page)
    return page, found.public


def get_project_serial(registry: Registry, channel: Channel, name: str) -> int:
    """Return the serial of a project's last change; the channel's where it is not stored here."""
    key = page_updates.simple_page_key(page_updates.MAIN, page_updates.JSON, normalize_name(name))
    with registry.database.read() as db:
        serial = stored_pages.get_page_serial(db, channel.id, key)
    return channel.serial if serial is None else serial


def get_file(
    registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str
) -> ReadableFile:
    """Return a file of the PyPI side by hash and name, even if yanked."""
    found = get_file_by_name(registry, actor, channel_name, "", filename)
    if found.file.sha256 != sha256:
        raise not_found(f"file '{filename[:100]}' with that hash")
    return found


def get_file_by_name(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, filename: str
) -> ReadableFile:
    """Return a file by its name. Raises Refused: 404, or 403 for a quarantined project."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel_name, Action.READ)
        served = files.find_served_file(db, found.id, subdir, filename)
        if served is not None:
            return ReadableFile(served, found.public, bool(found.settings.get("redirect")))
        stored = files.find_file(db, found.id, subdir, filename)
        if stored is not None and stored.deleted_at is None:
            check_not_quarantined(channels.get_project(db, stored.project_id))
    raise not_found(f"file '{filename[:100]}' in channel '{channel_name}'")


def check_not_quarantined(project: Project) -> None:
    """Raise Refused (403) when the project is quarantined: its files are not served."""
    if project.status == "quarantined":
        raise Refused(
            "project-quarantined",
            f"The project '{project.name}' is quarantined: {project.status_reason or 'unsafe'}",
            "ask an administrator of the channel",
            403,
        )


def get_project(registry: Registry, actor: Actor, channel_name: str, name: str) -> Project:
    """Return a project by its name. Raises Refused (404)."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel_name, Action.READ)
        known = channels.find_project(db, found.id, normalize_name(name))
    if known is None:
        raise not_found(f"project '{name[:100]}' in channel '{channel_name}'")
    return known


def list_projects(registry: Registry, actor: Actor, channel_name: str) -> list[Project]:
    """Return the projects of a channel."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel_name, Action.READ)
        return channels.list_projects(db, found.id)


def list_files(registry: Registry, known: Project, version: str | None = None) -> list[StoredFile]:
    """Return the files of a project (of a version, in any spelling) in upload order."""
    with registry.database.read() as db:
        found = files.list_project_files(db, known.id)
    if version is None:
        return found
    named = find_versions({file.version for file in found}, version)
    return [file for file in found if file.version in named]


def list_releases(registry: Registry, known: Project) -> dict[str, dict[str, object]]:
    """Return the attributes of a project's releases by version."""
    with registry.database.read() as db:
        return channels.list_releases(db, known.id)


def read_metadata(found: ReadableFile) -> bytes:
    """Return the METADATA of a wheel, byte for byte (PEP 658)."""
    if found.file.kind is not Kind.WHEEL:
        raise not_found(f"metadata of '{found.file.filename}'")
    return found.file.metadata


def list_versions(found: Iterable[StoredFile]) -> list[str]:
    """List the versions of a project's files oldest first."""
    return sort_versions(*_split_versions(found))


def list_versions_newest_first(found: Iterable[StoredFile]) -> list[str]:
    """List the versions of a project's files newest first, pre-releases last."""
    return sort_newest_first(*_split_versions(found))


def find_newest_version(found: Iterable[StoredFile]) -> str:
    """Return the newest version of which a file is not yanked, else the newest; '' for none."""
    found = list(found)
    offered = [file for file in found if file.yanked is None]
    return next(iter(list_versions_newest_first(offered or found)), "")


def _split_versions(found: Iterable[StoredFile]) -> tuple[set[str], set[str]]:
    """Return the versions on the PyPI side and those on the conda side."""
    sides: tuple[set[str], set[str]] = (set(), set())
    for file in found:
        sides[file.kind.is_conda].add(file.version)
    return sides
