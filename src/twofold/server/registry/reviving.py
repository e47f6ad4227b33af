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
from twofold.server.registry.labelling import demand_unlocked
from twofold.server.store import channels, files


def revive(
    registry: Registry, actor: Actor, channel: str, wanted: Stored, path: Path
) -> tuple[Stored, list[Stored]]:
    """The file and its twins, there again. `path` holds the bytes of `wanted`, a deleted file.

    A twin whose blob has been swept since stays away.
    """
    registry.blobs.put(wanted.sha256, path)
    with registry.changing(actor, channel, Action.READ) as change:
        project = channels.project_by_id(change.db, wanted.project_id)
        access.demand(change.db, actor, Action.UPLOAD, change.channel, project.key)
        demand_unlocked(change, wanted.labels)
        gone = [wanted, *_twins(change, wanted)]
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
        and _blob_is_there(change.registry, file)
    ]


def _blob_is_there(registry: Registry, file: Stored) -> bool:
    try:
        return registry.blobs.size(file.sha256) == file.size
    except FileNotFoundError:
        return False
