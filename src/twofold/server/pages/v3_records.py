"""v3 repodata records of wheels, listed where the rule `v3` is on (CEP 43-45, 48).

Such a record keeps what a conda package cannot express: conditions and extras. Only pure wheels
have one, in the subdir noarch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.convert import CondaOptions
from twofold.convert.v3 import make_wheel_record
from twofold.errors import TwofoldError
from twofold.names import to_conda_name
from twofold.server.model import Channel, Project, StoredFile
from twofold.server.store import Connection, channels, files, projects

NOARCH = "noarch"


def is_pure_wheel(file: StoredFile) -> bool:
    """Whether a file is a pure Python 3 wheel."""
    return file.kind is Kind.WHEEL and "py3-none-any" in file.tags


def conda_project_name(project: Project) -> str:
    """Return the name of a project's wheels on the conda side."""
    return project.conda_name or to_conda_name(project.name)


def build_v3_records(db: Connection, channel: Channel, name: str, label: str) -> dict[str, Any]:
    """Return key -> v3 record of the wheels of a conda name under a label, sorted by key."""
    found: dict[str, Any] = {}
    for project in projects.list_projects_by_conda_name(db, channel.id, name):
        if conda_project_name(project) != name:
            continue
        shared = projects.list_other_projects_named(db, channel.id, project.id, name)
        for file in files.list_project_files(db, project.id):
            shown = is_pure_wheel(file) and label in file.labels and file.yanked is None
            # Sharing a name with another project requires the permission that conversion required.
            if shown and not (shared and file.remark):
                found.update(_build_record(db, channel, file, name))
    return dict(sorted(found.items()))


def _build_record(
    db: Connection, channel: Channel, file: StoredFile, name: str
) -> Iterable[tuple[str, Any]]:
    """Return the record; none when it cannot express the wheel's requirements."""
    artifact = file.artifact
    known = channels.get_conda_names(db, channel.id, projects.required_names(artifact))
    options = CondaOptions(name=name, local_names=known)
    url = f"../files/{file.sha256}/{quote(file.filename)}"
    milliseconds = int(file.uploaded_at.timestamp() * 1000)
    try:
        return [make_wheel_record(artifact, url, milliseconds, options)]
    except TwofoldError:
        return []
