"""The conda packages that the registry converts from wheels, by `twofold.convert`.

A converted package is a placeholder for the package that its author has not uploaded. The author's
own package of that name replaces it, once; from then on the name is final. An uploaded package with
the same files and dependencies counts as the converted one, however it is compressed.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp

from twofold.artifact import Artifact, Kind
from twofold.errors import Refused, TwofoldError
from twofold.formats.conda_reader import parse_json, read_info
from twofold.formats.reader import read_artifact
from twofold.names import normalize_name
from twofold.server.admission.names import conda_name_conflict
from twofold.server.admission.policy import check_quota
from twofold.server.context import Registry, Transaction, require_channel
from twofold.server.model import ANONYMOUS, Action, Actor, Channel, Project, StoredFile
from twofold.server.pages.conda_records import make_record
from twofold.server.registry.local_metadata import KnownNames, find_known_names, names_with_extras
from twofold.server.registry.replacement import has_authors_package
from twofold.server.store import channels, files, projects, upstreams
from twofold.server.store.blob_refs import protect_blobs
from twofold.server.store.files import NewFile

#: The largest info files to compare (bytes): paths.json of some 100,000 files.
_PATHS = {"info/index.json": 1 << 20, "info/paths.json": 32 << 20}


@dataclass(frozen=True)
class ConversionResult:
    """The converted packages (several where markers require it), or why there are none."""

    artifacts: tuple[Artifact, ...] = ()
    note: str | None = None


def convert_upload(artifact: Artifact, folder: Path, known: KnownNames) -> ConversionResult:
    """Convert a wheel into `folder`, with the channel's conda names for its dependencies.

    A wheel that cannot be converted is still accepted: the note says why.
    """
    if artifact.kind is not Kind.WHEEL:
        return ConversionResult()
    from twofold.convert import CondaOptions, convert_all
    from twofold.formats.conda_writer import BUILD_LEVEL

    # The level of `twofold build`: its conda package equals the converted one byte for byte.
    options = CondaOptions(
        local_names=known.names, find_metadata=known.metadata_of, level=BUILD_LEVEL
    )
    try:
        return ConversionResult(tuple(convert_all(artifact.path, folder, options)))
    except TwofoldError as error:
        return ConversionResult(note=f"{artifact.filename} was not converted: {error}")


def heal_converted(
    registry: Registry, channel: Channel, wheel: Artifact, packages: Iterable[StoredFile]
) -> None:
    """Convert a wheel that came again, where a blob of its packages is damaged or missing.

    A package that would have other bytes by now, for its dependencies have other names, is left.
    """
    damaged = {one.sha256 for one in packages if not registry.blobs.is_intact(one.sha256)}
    if damaged:
        known = find_known_names(registry, channel, wheel)
        for made in convert_upload(wheel, wheel.path.parent / "twin", known).artifacts:
            if made.sha256 in damaged:
                registry.blobs.heal(made.sha256, made.path)


def is_same_package(registry: Registry, package: StoredFile, path: Path) -> bool:
    """Whether an uploaded package has the files and dependencies of a converted one."""
    copy = path.parent / "held" / package.filename
    copy.parent.mkdir(exist_ok=True)
    registry.blobs.fetch(package.sha256, copy)
    return _installed_content(copy) == _installed_content(path)


def _installed_content(path: Path) -> tuple[object, ...]:
    info = read_info(path, _PATHS)
    index = parse_json(info["info/index.json"], path, "info/index.json")
    paths = parse_json(info["info/paths.json"], path, "info/paths.json")
    entries = {
        (entry["_path"], entry.get("sha256"), entry.get("path_type"))
        for entry in paths.get("paths", [])
    }
    return entries, sorted(index.get("depends", [])), index.get("noarch")


log = logging.getLogger("twofold.server")

#: The registry itself is the actor: the uploader of the wheel had the permission.
_REGISTRY_ACTOR = Actor(operator=True)


def convert_waiting(registry: Registry, channel: Channel, uploaded: StoredFile) -> None:
    """Convert the wheels that waited for this wheel's project; failures are only logged."""
    if uploaded.kind is not Kind.WHEEL:
        return
    try:
        _convert_waiting_for(registry, channel, normalize_name(uploaded.name))
    except (TwofoldError, OSError):
        log.exception("wheels that waited for %s were not converted", uploaded.filename)


def reconvert_all(registry: Registry, channel: str) -> tuple[list[StoredFile], dict[str, str]]:
    """Retry every unconverted wheel; return the packages, and wheel -> why there is none."""
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
    """Convert all unconverted wheels, or those that require extras of one project."""
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
            made += convert_stored(registry, channel, wheel)
    return made


def convert_stored(registry: Registry, channel: Channel, wheel: StoredFile) -> list[StoredFile]:
    """Convert a stored wheel and record its packages; returns them."""
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="twin-", dir=registry.spool))
    try:
        path = folder / wheel.filename
        registry.blobs.fetch(wheel.sha256, path)
        artifact = read_artifact(path)._replace(subdir="")
        known = find_known_names(registry, channel, artifact)
        conversion = convert_upload(artifact, folder / "twin", known)
        for package in conversion.artifacts:
            registry.blobs.take(package.sha256, package.path)
        return _record_later(registry, channel, wheel, conversion)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _record_later(
    registry: Registry, channel: Channel, wheel: StoredFile, conversion: ConversionResult
) -> list[StoredFile]:
    """Record the packages under the wheel's current labels; nothing when it was deleted."""
    with registry.transaction(_REGISTRY_ACTOR, channel.name, Action.UPLOAD) as change:
        now = files.find_file_by_id(change.db, wheel.id)
        if (
            now is None
            or now.deleted_at is not None
            or files.list_converted_packages(change.db, now.id)
        ):
            return []
        project = channels.get_project(change.db, now.project_id)
        conversion = _if_quota_allows(change, now, conversion)
        conversion = _if_name_allowed(change, now, project, conversion)
        protect_blobs(change.db, registry.blobs, conversion.artifacts, change.at)
        if conversion.note != now.remark:
            files.update_file(change.db, now.id, remark=conversion.note)
        added = record_converted(change, now, project, conversion.artifacts)
        if added:
            change.add_to_pages(project, *added)
            change.audit("twin", now.filename, packages=[file.basename for file in added])
        return added


def record_converted(
    change: Transaction, wheel: StoredFile, project: Project, packages: Iterable[Artifact]
) -> list[StoredFile]:
    """Record the packages converted from a wheel, under its labels and yanked if it is.

    A package that an author uploaded under the same name is kept instead.
    """
    added = []
    for package in packages:
        place = (change.db, change.channel.id, package.subdir, package.filename)
        if files.find_file(*place) is not None or has_authors_package(*place):
            continue
        new = NewFile(
            package,
            change.channel.id,
            project.id,
            change.at,
            wheel.uploader_id,
            make_record(package, change.at),
            made_from=wheel.id,
            uploaded_with=wheel.uploaded_with,
        )
        file = files.add_file(change.db, new, wheel.labels)
        if wheel.yanked is not None:
            files.update_file(change.db, file.id, yanked=wheel.yanked)
            file = replace(file, yanked=wheel.yanked)
        added.append(file)
    if added and project.conda_name is None:
        channels.update_project(change.db, project.id, conda_name=added[0].name)
    return added


def _if_quota_allows(
    change: Transaction, wheel: StoredFile, conversion: ConversionResult
) -> ConversionResult:
    """Return the conversion if the quota allows it, else why there is none."""
    try:
        check_quota(change.db, change.channel, (package.size for package in conversion.artifacts))
    except Refused as error:
        reason = error.problems[0].message
        return ConversionResult(note=f"{wheel.filename} was not converted: {reason}")
    return conversion


def _if_name_allowed(
    change: Transaction, wheel: StoredFile, project: Project, conversion: ConversionResult
) -> ConversionResult:
    """Check as at upload, but anonymously: the uploader's token is not stored."""
    pin = upstreams.find_pin(change.db, change.channel.id, "", wheel.filename)
    is_fetched = pin is not None and pin.wanted and pin.sha256 == wheel.sha256
    return check_conda_name(change, ANONYMOUS, project, conversion, is_fetched)


def check_conda_name(
    change: Transaction,
    actor: Actor,
    project: Project,
    conversion: ConversionResult,
    is_fetched: bool,
) -> ConversionResult:
    """Return the conversion, or why its conda name is not allowed for this project.

    `is_fetched`: the wheel came from the channel's upstream.
    """
    names = sorted({package.name for package in conversion.artifacts})
    for name in names:
        reason = conda_name_conflict(change, actor, project, name, is_fetched)
        if reason is not None:
            remark = f"not converted: the conda name of '{project.name}' is '{name}', {reason}"
            return ConversionResult(note=remark)
    return conversion
