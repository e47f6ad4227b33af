"""Wheels as the conda side lists them where the rule `v3` is on (CEP 43-45, 48).

Such a record keeps what a conda package cannot say: conditions and extras. Only pure wheels have
one, in the subdir noarch.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.convert import CondaOptions
from twofold.convert.v3 import wheel_record
from twofold.errors import TwofoldError
from twofold.names import conda_name
from twofold.server.model import Channel, Project, Stored
from twofold.server.store import Connection, channels, files, twins

NOARCH = "noarch"


def is_pure(file: Stored) -> bool:
    return file.kind is Kind.WHEEL and "py3-none-any" in file.tags


def name_of(project: Project) -> str:
    """What a project's wheels are called on the conda side."""
    return project.conda_name or conda_name(project.name)


def records_of(db: Connection, channel: Channel, name: str, label: str) -> dict[str, Any]:
    """Key -> record of the wheels of a conda name under a label, in the order of keys."""
    found: dict[str, Any] = {}
    for project in twins.projects_called(db, channel.id, name):
        if name_of(project) != name:
            continue
        shared = twins.others_known_as(db, channel.id, project.id, name)
        for file in files.files_of_project(db, project.id):
            shown = is_pure(file) and label in file.labels and file.yanked is None
            # Under another project's name as well, only with the right that its twin needed.
            if shown and not (shared and file.remark):
                found.update(_record(db, channel, file, name))
    return dict(sorted(found.items()))


def _record(db: Connection, channel: Channel, file: Stored, name: str) -> Iterable[tuple[str, Any]]:
    """One; none when the record's format cannot say what the wheel asks for."""
    artifact = file.artifact
    known = channels.conda_names(db, channel.id, twins.needed_names(artifact))
    options = CondaOptions(name=name, at_hand=known)
    url = f"../files/{file.sha256}/{quote(file.filename)}"
    milliseconds = int(file.uploaded_at.timestamp() * 1000)
    try:
        return [wheel_record(artifact, url, milliseconds, options)]
    except TwofoldError:
        return []
