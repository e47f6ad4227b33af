"""Whose a twin's name is: conda may know a project by another name than PyPI does.

`tables` is `pytables` there. The right to upload one project is no right to publish packages under
another one's name, and what an upstream has never appears under a private name.
"""

from __future__ import annotations

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.admission import checks
from twofold.server.admission.private_names import is_private
from twofold.server.auth import permissions
from twofold.server.model import Action, Actor, Project
from twofold.server.registry import Transaction
from twofold.server.registry.conversion import ConversionResult
from twofold.server.store import channels, projects, upstreams
from twofold.server.store.upstreams import PYPI


def check_conda_name(
    change: Transaction,
    actor: Actor,
    project: Project,
    conversion: ConversionResult,
    is_fetched: bool,
) -> ConversionResult:
    """The twin of a wheel of this project, or why there is none: its name is somebody else's.

    `is_fetched`: the wheel came from the channel's upstream.
    """
    names = sorted({package.name for package in conversion.artifacts})
    for name in names:
        reason = conda_name_conflict(change, actor, project, name, is_fetched)
        if reason is not None:
            remark = (
                f"no conda package was made: conda knows '{project.name}' as '{name}', {reason}"
            )
            return ConversionResult(note=remark)
    return conversion


def conda_name_conflict(
    change: Transaction, actor: Actor, project: Project, name: str, is_fetched: bool
) -> str | None:
    """Why packages of this project may not appear as `name`; None when they may."""
    key = normalize_name(name)
    if key == project.key:
        return None
    db, channel = change.db, change.channel
    upstream = upstreams.find_upstream(db, channel.id, PYPI) if is_fetched else None
    if upstream is not None and is_private(db, channel, upstream, name):
        return f"which is private in channel '{channel.name}'"
    for other in projects.list_other_projects_named(db, channel.id, project.id, name):
        if not permissions.is_allowed(db, actor, Action.UPLOAD, channel, other.key):
            return f"which '{other.name}' is too: the upload came without the right to that project"
        try:
            checks.check_project_status(other.name, other.status)
        except Refused as error:
            return f"which '{other.name}' is too: {error.problems[0].message}"
    return _prefix_conflict(change, actor, project, name)


def _prefix_conflict(change: Transaction, actor: Actor, project: Project, name: str) -> str | None:
    """A private prefix (PEP 752) of the name that is not one of the project's own name as well."""
    owners = channels.list_prefixes(change.db, change.channel.id)
    prefix = checks.find_prefix(normalize_name(name), owners)
    if prefix is None or project.conda_name == name:
        return None
    if checks.find_prefix(project.key, owners) == prefix:
        return None
    if permissions.can_use_prefix(change.db, actor, change.channel, owners[prefix]):
        return None
    return f"and names that begin with '{prefix}' are reserved in channel '{change.channel.name}'"
