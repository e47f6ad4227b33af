"""Yank, delete, describe: what may happen to files and projects after they were published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server import access, gates
from twofold.server.model import Action, Actor, Project, Stored
from twofold.server.registry import Change, Registry
from twofold.server.registry.admission import may_begin
from twofold.server.registry.labelling import demand_unlocked
from twofold.server.registry.looking import not_found
from twofold.server.rendering.project_json import newest_first
from twofold.server.store import channels, files

#: Where, among what is told of a release, that stands which is told of its files.
FILES = "twofold:files"

#: PEP 792.
STATUSES = ("active", "archived", "quarantined", "deprecated")
QUARANTINED = "quarantined"

#: The reason with which a quarantine yanks, and by which its end knows what to give back.
WITHHELD = "withheld: the project is quarantined"


def yank(
    registry: Registry, actor: Actor, channel: str, project: str, version: str, reason: str = ""
) -> list[Stored]:
    """Yank every file of a release, and take its packages out of the conda side's lists."""
    return _set_yanked(registry, actor, channel, project, version, reason)


def unyank(
    registry: Registry, actor: Actor, channel: str, project: str, version: str
) -> list[Stored]:
    """Take a yank back."""
    return _set_yanked(registry, actor, channel, project, version, None)


def _set_yanked(
    registry: Registry, actor: Actor, channel: str, project: str, version: str, reason: str | None
) -> list[Stored]:
    key = normalised(project)
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        known = _project(change, key)
        found = files.files_of_project(change.db, known.id)
        changed = _of_version(found, version)
        if not changed:
            raise not_found(f"release {version} of '{project}'")
        for file in changed:
            files.change_file(change.db, file.id, yanked=reason)
        change.show(known, *changed)
        action = "unyank" if reason is None else "yank"
        change.note(action, f"{known.name} {version}", reason=reason)
        return [replace(file, yanked=reason) for file in changed]


def _of_version(found: list[Stored], version: str) -> list[Stored]:
    """A release's files; a wheel's twin goes with it, even if conda writes versions otherwise."""
    wheels = {file.id for file in found if file.version == version}
    return [file for file in found if file.id in wheels or file.made_from in wheels]


def delete(registry: Registry, actor: Actor, channel: str, subdir: str, filename: str) -> Stored:
    """Delete a file and the twin made of it. Its name is never given to other bytes."""
    with registry.changing(actor, channel, Action.READ) as change:
        file = files.file_named(change.db, change.channel.id, subdir, filename)
        if file is None or file.deleted_at is not None:
            raise not_found(f"file '{filename[:200]}'")
        project = channels.project_by_id(change.db, file.project_id)
        _demand_delete(change, project)
        gone = [file, *files.twins_of(change.db, file.id)]
        _demand_unlocked(change, project, gone)
        _delete(change, project, gone)
        return file


def delete_release(
    registry: Registry, actor: Actor, channel: str, project: str, version: str | None = None
) -> list[Stored]:
    """Delete every file of a release, or (None) of the project."""
    key = normalised(project)
    with registry.changing(actor, channel, Action.READ) as change:
        known = _project(change, key)
        _demand_delete(change, known)
        found = files.files_of_project(change.db, known.id)
        gone = found if version is None else _of_version(found, version)
        if version is not None and not gone:
            raise not_found(f"release {version} of '{project}'")
        _demand_unlocked(change, known, gone)
        _delete(change, known, gone)
        return gone


def delete_old(
    registry: Registry, actor: Actor, channel: str, project: str, keep: int, limit: datetime
) -> list[Stored]:
    """Delete what `beyond` tells of a project, as its files are then."""
    with registry.changing(actor, channel, Action.READ) as change:
        known = _project(change, project)
        _demand_delete(change, known)
        gone = beyond(files.files_of_project(change.db, known.id), keep, limit)
        if gone:
            _delete(change, known, gone)
        return gone


def beyond(found: list[Stored], keep: int, limit: datetime) -> list[Stored]:
    """The files of all releases but the newest `keep`, where all of a release is older."""
    gone: list[Stored] = []
    own = [file.version for file in found if file.made_from is None]
    for version in newest_first(own)[keep:]:
        release = _of_version(found, version)
        if all(file.uploaded_at < limit for file in release):
            gone += release
    return gone


def _demand_delete(change: Change, project: Project) -> None:
    rule = change.channel.settings.get("deletion", "upload")
    if rule == "never":
        raise Refused("no-deletion", "This channel never deletes; yank instead", status=403)
    action = Action.ADMIN if rule == "admin" else Action.UPLOAD
    access.demand(change.db, change.actor, action, change.channel, project.key)


def _demand_unlocked(change: Change, project: Project, gone: list[Stored]) -> None:
    """Out of a locked label only who may unlock it deletes."""
    if not access.may(change.db, change.actor, Action.ADMIN, change.channel, project.key):
        labels = frozenset().union(*(file.labels for file in gone))
        demand_unlocked(change, sorted(labels))


def _delete(change: Change, project: Project, gone: list[Stored]) -> None:
    for file in gone:
        files.change_file(change.db, file.id, deleted_at=change.at)
        change.note("delete", file.basename, sha256=file.sha256)
    change.show(project, *gone)


def set_status(
    registry: Registry, actor: Actor, channel: str, project: str, status: str, reason: str = ""
) -> Project:
    """The project's status (PEP 792), shown on its page.

    A quarantined project offers nothing: its page lists no files, its files are refused, and
    conda's lists leave its packages out as they do what is yanked.
    """
    if status not in STATUSES:
        raise Refused("unknown-status", f"A project's status is one of {', '.join(STATUSES)}")
    key = normalised(project)
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        known = _project(change, key)
        if QUARANTINED in (status, known.status):
            access.demand(change.db, change.actor, Action.ADMIN, change.channel, key)
        values = {"status": status, "status_reason": reason or None}
        channels.change_project(change.db, known.id, **values)
        known = channels.project_by_id(change.db, known.id)
        withheld = _withheld(change, known)
        change.show(known)
        change.show_conda(*withheld)
        change.note("status", known.name, **values)
        return known


def _withheld(change: Change, project: Project) -> list[Stored]:
    """Yank what a quarantine withholds, or give back what it withheld; what people yanked stays."""
    before, after = (None, WITHHELD) if project.status == QUARANTINED else (WITHHELD, None)
    found = files.files_of_project(change.db, project.id)
    changed = [file for file in found if file.yanked == before]
    for file in changed:
        files.change_file(change.db, file.id, yanked=after)
    return [replace(file, yanked=after) for file in changed]


def describe_project(
    registry: Registry, actor: Actor, channel: str, name: str, attributes: Mapping[str, Any]
) -> Project:
    """What people are told of a project; the project is made when it is not there."""
    key = normalised(name)
    summary = str(attributes.get("summary") or "")
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        known = channels.project_by_key(change.db, change.channel.id, key)
        if known is None:
            gates.project_name_is_plain(name)
            may_begin(change, key)
            known = channels.add_project(change.db, change.channel.id, key, name, change.at)
        merged = {**known.attributes, **attributes}
        channels.change_project(change.db, known.id, summary=summary, attributes=merged)
        change.note("describe", known.name)
        return channels.project_by_id(change.db, known.id)


def describe_release(
    registry: Registry,
    actor: Actor,
    channel: str,
    name: str,
    version: str,
    attributes: Mapping[str, Any],
) -> None:
    key = normalised(name)
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        known = _project(change, key)
        before = channels.releases_of(change.db, known.id).get(version, {})
        kept = {FILES: before[FILES]} if FILES in before else {}
        own = {name: value for name, value in attributes.items() if name != FILES}
        channels.set_release(change.db, known.id, version, {**own, **kept})
        change.note("describe", f"{known.name} {version}")


def describe_file(registry: Registry, actor: Actor, channel: str, told: Told) -> None:
    """What an uploader says of a file, kept beside what is said of its release."""
    key = normalised(told.file.name)
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        before = channels.releases_of(change.db, told.file.project_id).get(told.file.version, {})
        said = {"description": told.description, "attrs": dict(told.attributes)}
        files_told = {**before.get(FILES, {}), told.file.basename: said}
        attributes = {**before, FILES: files_told}
        channels.set_release(change.db, told.file.project_id, told.file.version, attributes)


@dataclass(frozen=True)
class Told:
    """What an uploader says of a file; what the file says of itself counts where both speak."""

    file: Stored
    description: str
    attributes: Mapping[str, Any]


def _project(change: Change, key: str) -> Project:
    known = channels.project_by_key(change.db, change.channel.id, key)
    if known is None:
        raise not_found(f"project '{key[:100]}' in channel '{change.channel.name}'")
    return known
