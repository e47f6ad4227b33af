"""Twins that come later than their wheels: when what was missing to make them has come.

A wheel that asks for `x[extra]` has no twin while x is not known here. When a wheel of x is
published, those that waited for it get theirs; `twofold admin twins` tries all of a channel again.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

from twofold.artifact import Artifact, Kind
from twofold.errors import Refused, TwofoldError
from twofold.formats.reader import read_artifact
from twofold.names import normalize_name
from twofold.server.admission.conda_names import check_conda_name
from twofold.server.admission.policy import check_quota
from twofold.server.model import ANONYMOUS, Action, Actor, Channel, Project, StoredFile
from twofold.server.pages.conda_records import make_record
from twofold.server.registry import Registry, Transaction, require_channel
from twofold.server.registry.conversion import ConversionResult, convert_upload
from twofold.server.registry.local_metadata import find_known_names, names_with_extras
from twofold.server.store import channels, files, projects, upstreams
from twofold.server.store.blob_refs import protect_blobs
from twofold.server.store.files import NewFile

log = logging.getLogger("twofold.server")

#: The registry itself acts: whoever uploaded the wheel had the right to.
_REGISTRY_ACTOR = Actor(operator=True)


def convert_waiting(registry: Registry, channel: Channel, uploaded: StoredFile) -> None:
    """Make the twins that waited for this wheel's project. The upload stands whatever happens."""
    if uploaded.kind is not Kind.WHEEL:
        return
    try:
        _convert_waiting_for(registry, channel, normalize_name(uploaded.name))
    except (TwofoldError, OSError):
        log.exception("twins that waited for %s were not made", uploaded.filename)


def reconvert_all(registry: Registry, channel: str) -> tuple[list[StoredFile], dict[str, str]]:
    """Try again for every wheel without a twin: those made, and wheel -> why there is none."""
    with registry.database.read() as db:
        found = require_channel(db, _REGISTRY_ACTOR, channel, Action.ADMIN)
    made = _convert_waiting_for(registry, found, None)
    with registry.database.read() as db:
        left = [
            files.find_file_by_id(db, one) for one in projects.list_unconverted_wheels(db, found.id)
        ]
    return made, {file.filename: file.remark or "" for file in left if file is not None}


def _convert_waiting_for(
    registry: Registry, channel: Channel, waited_for: str | None
) -> list[StoredFile]:
    """Of all wheels without a twin, or of those that ask for extras of a project."""
    with registry.database.read() as db:
        waiting = [
            files.find_file_by_id(db, one)
            for one, requirements in sorted(
                projects.list_unconverted_wheels(db, channel.id).items()
            )
            if waited_for is None or waited_for in names_with_extras(requirements)
        ]
    made: list[StoredFile] = []
    for wheel in waiting:
        if wheel is not None:
            made += _convert_stored(registry, channel, wheel)
    return made


def _convert_stored(registry: Registry, channel: Channel, wheel: StoredFile) -> list[StoredFile]:
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="twin-", dir=registry.spool))
    try:
        path = folder / wheel.filename
        registry.blobs.fetch(wheel.sha256, path)
        artifact = replace(read_artifact(path), subdir="")
        known = find_known_names(registry, channel, artifact)
        twin = convert_upload(artifact, folder / "twin", known)
        for package in twin.artifacts:
            registry.blobs.put(package.sha256, package.path)
        return _record(registry, channel, wheel, twin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _record(
    registry: Registry, channel: Channel, wheel: StoredFile, conversion: ConversionResult
) -> list[StoredFile]:
    """The twins under the wheel's labels as these are now; nothing when it is gone."""
    with registry.transaction(_REGISTRY_ACTOR, channel.name, Action.UPLOAD) as change:
        now = files.find_file_by_id(change.db, wheel.id)
        if (
            now is None
            or now.deleted_at is not None
            or files.list_converted_packages(change.db, now.id)
        ):
            return []
        project = channels.get_project(change.db, now.project_id)
        conversion = _if_name_allowed(
            change, now, project, _if_quota_allows(change, now, conversion)
        )
        protect_blobs(change, conversion.artifacts)
        if conversion.note != now.remark:
            files.update_file(change.db, now.id, remark=conversion.note)
        made = [_add_package(change, now, package) for package in conversion.artifacts]
        added = [file for file in made if file is not None]
        if added and project.conda_name is None:
            channels.update_project(change.db, project.id, conda_name=added[0].name)
        if added:
            change.rerender_conda(*added)
            change.audit("twin", now.filename, packages=[file.basename for file in added])
        return added


def _if_quota_allows(
    change: Transaction, wheel: StoredFile, conversion: ConversionResult
) -> ConversionResult:
    """The twin, or why there is none: the quota counts it like any file."""
    try:
        check_quota(change, (package.size for package in conversion.artifacts))
    except Refused as error:
        reason = error.problems[0].message
        return ConversionResult(note=f"no conda package was made of {wheel.filename}: {reason}")
    return conversion


def _if_name_allowed(
    change: Transaction, wheel: StoredFile, project: Project, conversion: ConversionResult
) -> ConversionResult:
    """As at the upload; the token it came with is not known any more, so no other's name is had."""
    pin = upstreams.find_pin(change.db, change.channel.id, "", wheel.filename)
    is_fetched = pin is not None and pin.wanted and pin.sha256 == wheel.sha256
    return check_conda_name(change, ANONYMOUS, project, conversion, is_fetched)


def _add_package(change: Transaction, wheel: StoredFile, package: Artifact) -> StoredFile | None:
    """None when somebody's own package has that name."""
    name = (package.subdir, package.filename)
    if files.find_file(change.db, change.channel.id, *name) is not None:
        return None
    record = make_record(package, change.at)
    new = NewFile(
        package, change.channel.id, wheel.project_id, change.at, wheel.uploader_id, record
    )
    file = files.add_file(change.db, replace(new, made_from=wheel.id), wheel.labels)
    if wheel.yanked is not None:
        files.update_file(change.db, file.id, yanked=wheel.yanked)
        return replace(file, yanked=wheel.yanked)
    return file
