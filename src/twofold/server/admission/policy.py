"""Admission checks that need the channel's records: project name, project status and quota.

Upload, preflight and promotion call the same functions, so that all of them enforce the same rules.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from twofold.server.admission import checks
from twofold.server.auth import permissions
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel, Project, StoredFile
from twofold.server.store import Connection, channels, files, projects, upstreams

#: A channel's setting: names that may be begun although they look like another project's.
ALLOWED_NAMES = "allowed-names"


def check_new_file(
    db: Connection, channel: Channel, actor: Actor, key: str, is_fetched: bool = False
) -> Project | None:
    """Check that a project accepts a new file. Raises Refused.

    Returns the project named `key`; None for a new one, whose name the actor may use. A project of
    which only deleted and fetched files exist is begun again by an upload. The names of fetched
    files exist already where they come from, so that they are not compared with others.
    """
    project = channels.find_project(db, channel.id, key)
    if project is not None:
        check_project_open(project)
    if not is_fetched and (project is None or not projects.is_begun_here(db, project.id)):
        check_new_project_name(db, channel, actor, key)
    return project


def check_new_project_name(db: Connection, channel: Channel, actor: Actor, key: str) -> None:
    """Check that a new name is not confusable and not under another owner's prefix.

    It is compared with the projects that the channel's own users began and did not delete, unless
    an administrator of the channel allowed it.
    """
    if key not in channel.settings.get(ALLOWED_NAMES, ()):
        alike = channels.list_confusable_projects(db, channel.id, key).items()
        own = [other for other, one in alike if other != key and projects.is_begun_here(db, one)]
        checks.check_confusable_name(key, own)
    owners = channels.list_prefixes(db, channel.id)
    prefix = checks.find_prefix(key, owners)
    if prefix is not None:
        permissions.require_prefix(db, actor, channel, prefix, owners[prefix])


def check_project_open(project: Project) -> None:
    """Check that a project is neither archived nor quarantined. Raises Refused."""
    checks.check_project_status(project.name, project.status)


def check_quota(db: Connection, channel: Channel, sizes: Iterable[int]) -> None:
    """Check that files of these sizes (bytes) fit into the channel's quota. Raises Refused."""
    quota = channel.settings.get("quota")
    if quota is not None:
        checks.check_quota(sum(sizes), files.sum_sizes(db, channel.id), quota)


@dataclass(frozen=True)
class PlannedUpload:
    """A file about to be uploaded; `project` is normalized, `size` in bytes."""

    project: str
    filename: str
    subdir: str = ""
    size: int = 0

    @property
    def upstream_kind(self) -> str:
        """The kind of upstream that could have the file."""
        return upstreams.CONDA if self.subdir else upstreams.PYPI


@dataclass(frozen=True)
class PreflightResult:
    """The file of that name; `is_known` is False if the channel's upstream may have one."""

    existing: StoredFile | None
    is_known: bool


def preflight(
    registry: Registry, actor: Actor, channel: str, planned: PlannedUpload
) -> PreflightResult:
    """Raise Refused as the upload would, as far as that can be checked without the file.

    A file that exists is accepted here: the caller compares the hashes. A converted package is
    replaced by its author's.
    """
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.UPLOAD, planned.project)
        existing = files.find_file(db, found.id, planned.subdir, planned.filename)
        if existing is not None and existing.made_from is None:
            checks.check_name_unused(existing)
            return PreflightResult(existing, True)
        check_new_file(db, found, actor, planned.project)
        check_quota(db, found, [planned.size])
        upstream = upstreams.find_upstream(db, found.id, planned.upstream_kind)
        is_deleted = existing is not None and existing.deleted_at is not None
        return PreflightResult(None if is_deleted else existing, upstream is None)
