"""Carries over what an upstream takes back: yanks, and quarantines of projects (PEP 592, 792).

Fetched files are the channel's own, so that they are served while the upstream is down. What was
last carried over is recorded (`projects.status_before`, `upstream_pins.yanked`), so that it is
lifted when the upstream lifts it, and so that what the channel's own people set stays.
"""

from __future__ import annotations

from dataclasses import replace

from twofold.server.context import Registry, Transaction
from twofold.server.model import Action, Actor, Channel, Project, StoredFile
from twofold.server.proxy.remote_files import RemoteProject
from twofold.server.registry import lifecycle
from twofold.server.registry.lifecycle import QUARANTINED
from twofold.server.registry.retention import WITHHELD
from twofold.server.store import Connection, channels, files, upstreams
from twofold.server.store.upstreams import Pin

#: The registry acts for the upstream.
_REGISTRY_ACTOR = Actor(operator=True)


def carry_over(registry: Registry, channel: Channel, key: str, remote: RemoteProject) -> None:
    """Yank, quarantine or release the fetched files of a project as the upstream does."""
    with registry.database.read() as db:
        project = channels.find_project(db, channel.id, key)
        if project is None or not _has_news(db, channel, project, remote):
            return
    with registry.transaction(_REGISTRY_ACTOR, channel.name, Action.UPLOAD, key) as change:
        project = channels.get_project(change.db, project.id)
        _carry_status(change, project, remote)
        _carry_yanks(change, project, remote)


def _has_news(db: Connection, channel: Channel, project: Project, remote: RemoteProject) -> bool:
    if _is_quarantined(remote) != (project.status_before is not None):
        return _is_quarantined(remote) or project.status_before is not None
    return bool(_find_changed_yanks(db, channel, project, remote))


def _is_quarantined(remote: RemoteProject) -> bool:
    return remote.status == QUARANTINED


def _carry_status(change: Transaction, project: Project, remote: RemoteProject) -> None:
    if _is_quarantined(remote) and project.status_before is None:
        if project.status == QUARANTINED:  # by the channel's own people, who alone end it
            return
        reason = f"the upstream quarantined it: {remote.status_reason or 'no reason given'}"
        before = project.status
        lifecycle.apply_status(change, project, QUARANTINED, reason)
        channels.update_project(change.db, project.id, status_before=before)
        change.audit("upstream-quarantine", project.name, reason=remote.status_reason)
    elif not _is_quarantined(remote) and project.status_before is not None:
        if project.status == QUARANTINED:
            lifecycle.apply_status(change, project, project.status_before, "")
        channels.update_project(change.db, project.id, status_before=None)
        change.audit("upstream-release", project.name)


def _carry_yanks(change: Transaction, project: Project, remote: RemoteProject) -> None:
    changed: list[StoredFile] = []
    for file, pin, reason in _find_changed_yanks(change.db, change.channel, project, remote):
        upstreams.update_pin(change.db, change.channel.id, pin, yanked=reason)
        if file.yanked != pin.yanked:  # the channel's own people yanked it, for their own reason
            continue
        for one in (file, *files.list_converted_packages(change.db, file.id)):
            files.update_file(change.db, one.id, yanked=reason)
            changed.append(replace(one, yanked=reason))
        action = "upstream-unyank" if reason is None else "upstream-yank"
        change.audit(action, file.filename, reason=reason)
    if changed:
        change.rerender(project, *changed)


def _find_changed_yanks(
    db: Connection, channel: Channel, project: Project, remote: RemoteProject
) -> list[tuple[StoredFile, Pin, str | None]]:
    """Return (file, pin, the upstream's yank) of fetched files whose yank changed upstream.

    A file that a quarantine withholds waits for its end.
    """
    if _is_quarantined(remote):
        return []
    pins = upstreams.list_pins_of(db, channel.id, project.key)
    yanks = {file.filename: _parse_yank(file.entry.get("yanked")) for file in remote.files}
    found = []
    for file in files.list_project_files(db, project.id):
        pin = pins.get(file.filename)
        if pin is None or not pin.wanted or pin.sha256 != file.sha256:
            continue
        reason = yanks.get(file.filename, pin.yanked)  # a file gone upstream stays as it is
        if reason != pin.yanked and file.yanked != WITHHELD:
            found.append((file, pin, reason))
    return found


def _parse_yank(value: object) -> str | None:
    if isinstance(value, str):
        return value
    return "" if value else None
