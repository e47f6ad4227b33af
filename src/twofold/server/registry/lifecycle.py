"""Changes after publishing: yank, delete, restore, set a status, describe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions
from twofold.server.admission import checks
from twofold.server.admission.policy import check_new_project_name, check_project_open, check_quota
from twofold.server.auth import permissions
from twofold.server.context import Registry, Transaction, not_found
from twofold.server.model import Action, Actor, Project, StoredFile
from twofold.server.pages.description_renderer import make_key
from twofold.server.registry.labels import check_unlocked
from twofold.server.registry.retention import WITHHELD
from twofold.server.store import channels, files, projects
from twofold.server.store.blob_refs import exists, protect_blobs

#: Key of the files' descriptions among the attributes of a release.
FILES = "twofold:files"

#: PEP 792.
STATUSES = ("active", "archived", "quarantined", "deprecated")
QUARANTINED = "quarantined"


def yank(
    registry: Registry, actor: Actor, channel: str, project: str, version: str, reason: str = ""
) -> list[StoredFile]:
    """Yank every file of a release, and remove its packages from repodata."""
    return _set_yanked(registry, actor, channel, project, version, reason)


def unyank(
    registry: Registry, actor: Actor, channel: str, project: str, version: str
) -> list[StoredFile]:
    """Undo a yank."""
    return _set_yanked(registry, actor, channel, project, version, None)


def _set_yanked(
    registry: Registry, actor: Actor, channel: str, project: str, version: str, reason: str | None
) -> list[StoredFile]:
    key = normalize_name(project)
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        permissions.check_may_change(actor)
        known = _require_project(change, key)
        found = files.list_project_files(change.db, known.id)
        changed = _files_of_version(found, version)
        if not changed:
            raise not_found(f"release {version} of '{project}'")
        for file in changed:
            files.update_file(change.db, file.id, yanked=reason)
        change.rerender(known, *changed)
        action = "unyank" if reason is None else "yank"
        change.audit(action, f"{known.name} {version}", reason=reason)
        return [replace(file, yanked=reason) for file in changed]


def _files_of_version(files: list[StoredFile], version: str) -> list[StoredFile]:
    """Return a release's files and the packages converted from its wheels."""
    named = find_versions({file.version for file in files}, version)
    wheels = {file.id for file in files if file.version in named}
    return [file for file in files if file.id in wheels or file.made_from in wheels]


def delete(
    registry: Registry, actor: Actor, channel: str, subdir: str, filename: str
) -> StoredFile:
    """Delete a file and its converted packages. The filename is never reused."""
    with registry.transaction(actor, channel, Action.READ) as change:
        file = files.find_file(change.db, change.channel.id, subdir, filename)
        if file is None or file.deleted_at is not None:
            raise not_found(f"file '{filename[:200]}'")
        project = channels.get_project(change.db, file.project_id)
        _check_may_delete(change, project)
        gone = [file, *files.list_converted_packages(change.db, file.id)]
        _check_labels_unlocked(change, project, gone)
        _delete(change, project, gone)
        return file


def delete_release(
    registry: Registry, actor: Actor, channel: str, project: str, version: str | None = None
) -> list[StoredFile]:
    """Delete every file of a release, or (None) of the project."""
    key = normalize_name(project)
    with registry.transaction(actor, channel, Action.READ) as change:
        known = _require_project(change, key)
        _check_may_delete(change, known)
        found = files.list_project_files(change.db, known.id)
        gone = found if version is None else _files_of_version(found, version)
        if version is not None and not gone:
            raise not_found(f"release {version} of '{project}'")
        _check_labels_unlocked(change, known, gone)
        _delete(change, known, gone)
        return gone


def apply_retention(
    registry: Registry,
    actor: Actor,
    channel: str,
    project: str,
    choose: Callable[[Sequence[StoredFile]], list[StoredFile]],
) -> list[StoredFile]:
    """Delete the files of a project that retention chooses; return those deleted."""
    with registry.transaction(actor, channel, Action.READ) as change:
        known = _require_project(change, project)
        _check_may_delete(change, known)
        gone = choose(files.list_project_files(change.db, known.id))
        if gone:
            _delete(change, known, gone)
        return gone


def _check_may_delete(change: Transaction, project: Project) -> None:
    rule = change.channel.settings.get("deletion", "upload")
    if rule == "never":
        raise Refused("no-deletion", "This channel never deletes; yank instead", status=403)
    permissions.check_may_change(change.actor)
    action = Action.ADMIN if rule == "admin" else Action.UPLOAD
    permissions.require(change.db, change.actor, action, change.channel, project.key)


def _check_labels_unlocked(change: Transaction, project: Project, files: list[StoredFile]) -> None:
    """Only administrators delete files under a locked label. Raises Refused."""
    if not permissions.is_allowed(
        change.db, change.actor, Action.ADMIN, change.channel, project.key
    ):
        labels = frozenset().union(*(file.labels for file in files))
        check_unlocked(change, sorted(labels))


def _delete(change: Transaction, project: Project, deleted: list[StoredFile]) -> None:
    for file in deleted:
        files.update_file(change.db, file.id, deleted_at=change.at)
        change.audit("delete", file.basename, sha256=file.sha256)
    change.rerender(project, *deleted)
    left = files.list_project_files(change.db, project.id)
    projects.delete_descriptions(change.db, project.id, {make_key(file)[1] for file in left})


def set_status(
    registry: Registry, actor: Actor, channel: str, project: str, status: str, reason: str = ""
) -> Project:
    """Set the project's status (PEP 792), shown on its page.

    Nothing of a quarantined project is served: its page lists no files, its files are refused, and
    repodata leaves its packages out like yanked ones.
    """
    if status not in STATUSES:
        raise Refused("unknown-status", f"A project's status is one of {', '.join(STATUSES)}")
    key = normalize_name(project)
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        permissions.check_may_change(actor)
        known = _require_project(change, key)
        if QUARANTINED in (status, known.status):
            permissions.require(change.db, change.actor, Action.ADMIN, change.channel, key)
        known = apply_status(change, known, status, reason)
        if status == QUARANTINED:  # their own now, whatever the upstream lifts
            channels.update_project(change.db, known.id, status_before=None)
        change.audit("status", known.name, status=status, status_reason=reason or None)
        return known


def apply_status(change: Transaction, known: Project, status: str, reason: str) -> Project:
    """Set a project's status and withhold or release its files; return the project."""
    values = {"status": status, "status_reason": reason or None}
    channels.update_project(change.db, known.id, **values)
    known = channels.get_project(change.db, known.id)
    withheld = _withhold(change, known)
    change.rerender(known)
    change.rerender_conda(*withheld)
    return known


def _withhold(change: Transaction, project: Project) -> list[StoredFile]:
    """Yank the files of a quarantined project, or undo it; files yanked by users stay so."""
    before, after = (None, WITHHELD) if project.status == QUARANTINED else (WITHHELD, None)
    found = files.list_project_files(change.db, project.id)
    changed = [file for file in found if file.yanked == before]
    for file in changed:
        files.update_file(change.db, file.id, yanked=after)
    return [replace(file, yanked=after) for file in changed]


def describe_project(
    registry: Registry, actor: Actor, channel: str, name: str, attributes: Mapping[str, Any]
) -> Project:
    """Set the description of a project, which is created if necessary."""
    key = normalize_name(name)
    summary = str(attributes.get("summary") or "")
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        known = channels.find_project(change.db, change.channel.id, key)
        if known is None:
            checks.check_project_name(name)
            check_new_project_name(change.db, change.channel, actor, key)
            known = channels.add_project(change.db, change.channel.id, key, name, change.at)
        merged = {**known.attributes, **attributes}
        channels.update_project(change.db, known.id, summary=summary, attributes=merged)
        change.update_listing(known)
        change.audit("describe", known.name)
        return channels.get_project(change.db, known.id)


def describe_release(
    registry: Registry,
    actor: Actor,
    channel: str,
    name: str,
    version: str,
    attributes: Mapping[str, Any],
) -> None:
    """Set the attributes of a release; descriptions of its files are kept."""
    key = normalize_name(name)
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        known = _require_project(change, key)
        before = channels.list_releases(change.db, known.id).get(version, {})
        kept = {FILES: before[FILES]} if FILES in before else {}
        own = {name: value for name, value in attributes.items() if name != FILES}
        channels.set_release(change.db, known.id, version, {**own, **kept})
        change.audit("describe", f"{known.name} {version}")


def describe_file(
    registry: Registry, actor: Actor, channel: str, description: FileDescription
) -> None:
    """Store an uploader's description of a file with the attributes of its release."""
    key = normalize_name(description.file.name)
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        before = channels.list_releases(change.db, description.file.project_id).get(
            description.file.version, {}
        )
        described = {"description": description.description, "attrs": dict(description.attributes)}
        descriptions = {**before.get(FILES, {}), description.file.basename: described}
        attributes = {**before, FILES: descriptions}
        channels.set_release(
            change.db, description.file.project_id, description.file.version, attributes
        )


@dataclass(frozen=True)
class FileDescription:
    """An uploader's description of a file; the file's own metadata takes precedence."""

    file: StoredFile
    description: str
    attributes: Mapping[str, Any]


def _require_project(change: Transaction, key: str) -> Project:
    known = channels.find_project(change.db, change.channel.id, key)
    if known is None:
        raise not_found(f"project '{key[:100]}' in channel '{change.channel.name}'")
    return known


def restore_deleted(
    registry: Registry, actor: Actor, channel: str, deleted: StoredFile, path: Path
) -> tuple[StoredFile, list[StoredFile]]:
    """Restore a deleted file from its bytes at `path`; return it and its converted packages.

    A used name is never given to different content, so only the same file may follow a deletion
    (`anaconda upload --force` deletes and uploads). The checks of an upload that do not read the
    file apply: status, labels, quota. Packages whose blob was collected meanwhile stay deleted.
    """
    registry.blobs.put(deleted.sha256, path)
    with registry.transaction(actor, channel, Action.READ) as change:
        project = channels.get_project(change.db, deleted.project_id)
        permissions.require(change.db, actor, Action.UPLOAD, change.channel, project.key)
        now = files.find_file_by_id(change.db, deleted.id)
        if now is None or now.deleted_at is None:  # another request was faster
            return now or deleted, files.list_converted_packages(change.db, deleted.id)
        deleted = now
        check_project_open(project)
        check_unlocked(change, deleted.labels)
        gone = [deleted, *_restorable_packages(change, deleted)]
        check_quota(change.db, change.channel, (file.size for file in gone))
        protect_blobs(change.db, registry.blobs, gone, change.at)
        for file in gone:
            files.update_file(change.db, file.id, deleted_at=None)
            change.audit("revive", file.basename, sha256=file.sha256)
        back = [files.find_file_by_id(change.db, file.id) for file in gone]
        shown = [file for file in back if file is not None]
        change.rerender(project, *shown)
        return shown[0], shown[1:]


def _restorable_packages(change: Transaction, deleted: StoredFile) -> list[StoredFile]:
    every = files.list_project_files(change.db, deleted.project_id, deleted=True)
    return [
        file
        for file in every
        if file.made_from == deleted.id
        and "~" not in file.filename  # an author's package replaced it
        and file.deleted_at == deleted.deleted_at
        and exists(change.registry.blobs, file)
    ]
