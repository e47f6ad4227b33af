"""Undoing a deletion within the time that an administrator of the channel sets.

The records of deleted files stay for ever, so that no name is given to other bytes. Their blobs
stay for the channel's `undelete-days`, where none are set for one; then `twofold admin sweep`
removes them. So a backup whose objects are copied within a day of its database has them all.
"""

from __future__ import annotations

from datetime import timedelta

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions
from twofold.server.admission.policy import check_project_open, check_quota
from twofold.server.auth import permissions
from twofold.server.context import Registry, not_found
from twofold.server.model import Action, Actor, StoredFile
from twofold.server.store import channels, files
from twofold.server.store.blob_refs import exists, list_deleted_blobs, protect_blobs

#: A channel's setting: days for which the bytes of deleted files are kept.
UNDELETE_DAYS = "undelete-days"

#: The same, where the channel has no such setting.
DEFAULT_DAYS = 1


def undelete(
    registry: Registry, actor: Actor, channel: str, project: str, version: str | None = None
) -> list[StoredFile]:
    """Restore the deleted files of a release, or (None) of the project, with their labels.

    Only files whose bytes are still there come back. Raises Refused (404, 409).
    """
    key = normalize_name(project)
    with registry.transaction(actor, channel, Action.ADMIN, key) as change:
        permissions.check_may_change(actor)
        known = channels.find_project(change.db, change.channel.id, key)
        if known is None:
            raise not_found(f"project '{key[:100]}' in channel '{channel}'")
        check_project_open(known)
        every = files.list_project_files(change.db, known.id, deleted=True)
        gone = [file for file in every if file.deleted_at is not None]
        if version is not None:
            named = find_versions({file.version for file in gone}, version)
            gone = [file for file in gone if file.version in named]
        if not gone:
            raise not_found(f"deleted file of '{key}'")
        back = [file for file in gone if exists(registry.blobs, file) and "~" not in file.filename]
        if not back:
            hint = f"set 'rule {channel} {UNDELETE_DAYS} N' to keep them longer next time"
            raise Refused("swept", "The bytes of these files have been removed", hint, 409)
        check_quota(change.db, change.channel, (file.size for file in back))
        protect_blobs(change.db, registry.blobs, back, change.at)
        for file in back:
            files.update_file(change.db, file.id, deleted_at=None)
            change.audit("undelete", file.basename, sha256=file.sha256)
        shown = [files.find_file_by_id(change.db, file.id) for file in back]
        restored = [file for file in shown if file is not None]
        change.rerender(known, *restored)
        return restored


def list_kept_blobs(registry: Registry) -> set[str]:
    """Return the hashes of deleted files whose channel keeps them for an undelete."""
    kept: set[str] = set()
    with registry.database.read() as db:
        for channel in channels.list_channels(db):
            days = channel.settings.get(UNDELETE_DAYS)
            since = registry.clock() - timedelta(days=DEFAULT_DAYS if days is None else days)
            kept |= list_deleted_blobs(db, channel.id, since)
    return kept
