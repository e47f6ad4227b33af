"""Foresee: would a file be taken? Asked before an upload, so that nobody sends half a release."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.server.admission import checks
from twofold.server.auth import permissions
from twofold.server.model import Action, Actor
from twofold.server.registry import Registry, require_channel
from twofold.server.store import channels, files


@dataclass(frozen=True)
class PlannedUpload:
    """A file that somebody is about to upload; `project` is normalised, `size` in bytes."""

    project: str
    filename: str
    subdir: str = ""
    size: int = 0


def preflight(registry: Registry, actor: Actor, channel: str, planned: PlannedUpload) -> None:
    """Raises Refused as the upload would, as far as the records tell without the file itself.

    A file that is there is no matter of this: whoever asks compares the hashes.
    """
    key = planned.project
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.UPLOAD, key)
        taken = files.find_file(db, found.id, planned.subdir, planned.filename)
        if taken is not None:
            checks.check_name_unused(taken)
            return
        project = channels.find_project(db, found.id, key)
        if project is not None:
            checks.check_project_status(project.name, project.status)
        else:
            checks.check_confusable_name(key, channels.list_confusable_projects(db, found.id, key))
            owners = channels.list_prefixes(db, found.id)
            prefix = checks.find_prefix(key, owners)
            if prefix is not None:
                permissions.require_prefix(db, actor, found, prefix, owners[prefix])
        quota = found.settings.get("quota")
        if quota is not None:
            checks.check_quota(planned.size, files.sum_sizes(db, found.id), quota)
