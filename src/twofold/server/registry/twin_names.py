"""Whose a twin's name is: conda may know a project by another name than PyPI does.

`tables` is `pytables` there. The right to upload one project is no right to publish packages under
another one's name, and what an upstream has never appears under a private name.
"""

from __future__ import annotations

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server import access, gates
from twofold.server.model import Action, Actor, Project
from twofold.server.registry import Change
from twofold.server.registry.privacy import is_private
from twofold.server.registry.twins import Twin
from twofold.server.store import channels, twins, upstreams
from twofold.server.store.upstreams import PYPI


def permitted(change: Change, actor: Actor, project: Project, twin: Twin, is_fetched: bool) -> Twin:
    """The twin of a wheel of this project, or why there is none: its name is somebody else's.

    `is_fetched`: the wheel came from the channel's upstream.
    """
    names = sorted({package.name for package in twin.artifacts})
    for name in names:
        reason = reason_against(change, actor, project, name, is_fetched)
        if reason is not None:
            remark = (
                f"no conda package was made: conda knows '{project.name}' as '{name}', {reason}"
            )
            return Twin(remark=remark)
    return twin


def reason_against(
    change: Change, actor: Actor, project: Project, name: str, is_fetched: bool
) -> str | None:
    """Why packages of this project may not appear as `name`; None when they may."""
    key = normalised(name)
    if key == project.key:
        return None
    db, channel = change.db, change.channel
    upstream = upstreams.upstream_of(db, channel.id, PYPI) if is_fetched else None
    if upstream is not None and is_private(db, channel, upstream, name):
        return f"which is private in channel '{channel.name}'"
    for other in twins.others_known_as(db, channel.id, project.id, name):
        if not access.may(db, actor, Action.UPLOAD, channel, other.key):
            return f"which '{other.name}' is too: the upload came without the right to that project"
        try:
            gates.takes_files(other.name, other.status)
        except Refused as error:
            return f"which '{other.name}' is too: {error.problems[0].message}"
    return _reason_of_prefix(change, actor, project, name)


def _reason_of_prefix(change: Change, actor: Actor, project: Project, name: str) -> str | None:
    """A private prefix (PEP 752) of the name that is not one of the project's own name as well."""
    owners = channels.prefixes_of(change.db, change.channel.id)
    prefix = gates.prefix_of(normalised(name), owners)
    if prefix is None or project.conda_name == name:
        return None
    if gates.prefix_of(project.key, owners) == prefix:
        return None
    if access.may_use_prefix(change.db, actor, change.channel, owners[prefix]):
        return None
    return f"and names that begin with '{prefix}' are reserved in channel '{change.channel.name}'"
