"""Foresee: would a file be taken? Asked before an upload, so that nobody sends half a release."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.server import access, gates
from twofold.server.model import Action, Actor
from twofold.server.registry import Registry, reachable
from twofold.server.store import channels, files


@dataclass(frozen=True)
class Coming:
    """A file that somebody is about to upload; `project` is normalised, `size` in bytes."""

    project: str
    filename: str
    subdir: str = ""
    size: int = 0


def foresee(registry: Registry, actor: Actor, channel: str, coming: Coming) -> None:
    """Raises Refused as the upload would, as far as the records tell without the file itself.

    A file that is there is no matter of this: whoever asks compares the hashes.
    """
    key = coming.project
    with registry.database.read() as db:
        found = reachable(db, actor, channel, Action.UPLOAD, key)
        taken = files.file_named(db, found.id, coming.subdir, coming.filename)
        if taken is not None:
            gates.name_is_unused(taken)
            return
        project = channels.project_by_key(db, found.id, key)
        if project is not None:
            gates.takes_files(project.name, project.status)
        else:
            gates.name_is_distinct(key, channels.projects_like(db, found.id, key))
            owners = channels.prefixes_of(db, found.id)
            prefix = gates.prefix_of(key, owners)
            if prefix is not None:
                access.demand_prefix(db, actor, found, prefix, owners[prefix])
        quota = found.settings.get("quota")
        if quota is not None:
            gates.fits_quota(coming.size, files.bytes_in(db, found.id), quota)
