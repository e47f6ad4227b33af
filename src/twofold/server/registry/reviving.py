"""Bring back a deleted file by its own bytes.

A used name is never given to other bytes, so the only upload that may follow a deletion is the
same file again. `anaconda upload --force` is a deletion and an upload: of the same file it ends
where it began.
"""

from __future__ import annotations

from pathlib import Path

from twofold.server import access
from twofold.server.model import Action, Actor, Stored
from twofold.server.registry import Change, Registry
from twofold.server.registry.admission import have_room, may_grow
from twofold.server.registry.holding import hold, is_there
from twofold.server.registry.labelling import demand_unlocked
from twofold.server.store import channels, files


def revive(
    registry: Registry, actor: Actor, channel: str, wanted: Stored, path: Path
) -> tuple[Stored, list[Stored]]:
    """The file and its twins, there again. `path` holds the bytes of `wanted`, a deleted file.

    It passes the gates of an upload that need no look into the file: status, labels, quota.
    A twin whose blob has been swept since stays away.
    """
    registry.blobs.put(wanted.sha256, path)
    with registry.changing(actor, channel, Action.READ) as change:
        project = channels.project_by_id(change.db, wanted.project_id)
        access.demand(change.db, actor, Action.UPLOAD, change.channel, project.key)
        now = files.file_by_id(change.db, wanted.id)
        if now is None or now.deleted_at is None:  # another one was faster
            return now or wanted, files.twins_of(change.db, wanted.id)
        wanted = now
        may_grow(project)
        demand_unlocked(change, wanted.labels)
        gone = [wanted, *_twins(change, wanted)]
        have_room(change, (file.size for file in gone))
        hold(change, gone)
        for file in gone:
            files.change_file(change.db, file.id, deleted_at=None)
            change.note("revive", file.basename, sha256=file.sha256)
        back = [files.file_by_id(change.db, file.id) for file in gone]
        shown = [file for file in back if file is not None]
        change.show(project, *shown)
        return shown[0], shown[1:]


def _twins(change: Change, wanted: Stored) -> list[Stored]:
    every = files.files_of_project(change.db, wanted.project_id, deleted=True)
    return [
        file
        for file in every
        if file.made_from == wanted.id
        and "~" not in file.filename  # it gave way to a package of its author's
        and file.deleted_at == wanted.deleted_at
        and is_there(change.registry, file)
    ]
