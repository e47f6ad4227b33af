"""Bring back a deleted file by its own bytes.

A used name is never given to other bytes, so the only upload that may follow a deletion is the
same file again. `anaconda upload --force` is a deletion and an upload: of the same file it ends
where it began.
"""

from __future__ import annotations

from pathlib import Path

from twofold.server.admission.policy import check_project_open, check_quota
from twofold.server.auth import permissions
from twofold.server.model import Action, Actor, StoredFile
from twofold.server.registry import Registry, Transaction
from twofold.server.registry.labels import check_unlocked
from twofold.server.store import channels, files
from twofold.server.store.blob_refs import exists, protect_blobs


def restore_deleted(
    registry: Registry, actor: Actor, channel: str, deleted: StoredFile, path: Path
) -> tuple[StoredFile, list[StoredFile]]:
    """The file and its twins, there again. `path` holds the bytes of `wanted`, a deleted file.

    It passes the gates of an upload that need no look into the file: status, labels, quota.
    A twin whose blob has been swept since stays away.
    """
    registry.blobs.put(deleted.sha256, path)
    with registry.transaction(actor, channel, Action.READ) as change:
        project = channels.get_project(change.db, deleted.project_id)
        permissions.require(change.db, actor, Action.UPLOAD, change.channel, project.key)
        now = files.find_file_by_id(change.db, deleted.id)
        if now is None or now.deleted_at is None:  # another one was faster
            return now or deleted, files.list_converted_packages(change.db, deleted.id)
        deleted = now
        check_project_open(project)
        check_unlocked(change, deleted.labels)
        gone = [deleted, *_restorable_packages(change, deleted)]
        check_quota(change, (file.size for file in gone))
        protect_blobs(change, gone)
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
        and "~" not in file.filename  # it gave way to a package of its author's
        and file.deleted_at == deleted.deleted_at
        and exists(change.registry, file)
    ]
