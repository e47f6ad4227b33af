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
from twofold.formats.opening import read
from twofold.names import normalised
from twofold.server.model import ANONYMOUS, Action, Actor, Channel, Project, Stored
from twofold.server.registry import Change, Registry, reachable
from twofold.server.registry.admission import have_room
from twofold.server.registry.at_hand import at_hand, named_with_extras
from twofold.server.registry.holding import hold
from twofold.server.registry.twin_names import permitted
from twofold.server.registry.twins import Twin, make_twin
from twofold.server.rendering.conda import record_of
from twofold.server.store import channels, files, twins, upstreams
from twofold.server.store.files import NewFile

log = logging.getLogger("twofold.server")

#: The registry itself acts: whoever uploaded the wheel had the right to.
_REGISTRY = Actor(operator=True)


def make_those_that_waited(registry: Registry, channel: Channel, came: Stored) -> None:
    """Make the twins that waited for this wheel's project. The upload stands whatever happens."""
    if came.kind is not Kind.WHEEL:
        return
    try:
        _make(registry, channel, normalised(came.name))
    except (TwofoldError, OSError):
        log.exception("twins that waited for %s were not made", came.filename)


def make_all(registry: Registry, channel: str) -> tuple[list[Stored], dict[str, str]]:
    """Try again for every wheel without a twin: those made, and wheel -> why there is none."""
    with registry.database.read() as db:
        found = reachable(db, _REGISTRY, channel, Action.ADMIN)
    made = _make(registry, found, None)
    with registry.database.read() as db:
        left = [files.file_by_id(db, one) for one in twins.without_twin(db, found.id)]
    return made, {file.filename: file.remark or "" for file in left if file is not None}


def _make(registry: Registry, channel: Channel, waited_for: str | None) -> list[Stored]:
    """Of all wheels without a twin, or of those that ask for extras of a project."""
    with registry.database.read() as db:
        waiting = [
            files.file_by_id(db, one)
            for one, requirements in sorted(twins.without_twin(db, channel.id).items())
            if waited_for is None or waited_for in named_with_extras(requirements)
        ]
    made: list[Stored] = []
    for wheel in waiting:
        if wheel is not None:
            made += _make_one(registry, channel, wheel)
    return made


def _make_one(registry: Registry, channel: Channel, wheel: Stored) -> list[Stored]:
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="twin-", dir=registry.spool))
    try:
        path = folder / wheel.filename
        registry.blobs.fetch(wheel.sha256, path)
        artifact = replace(read(path), subdir="")
        known = at_hand(registry, channel, artifact)
        twin = make_twin(artifact, folder / "twin", known)
        for package in twin.artifacts:
            registry.blobs.put(package.sha256, package.path)
        return _record(registry, channel, wheel, twin)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _record(registry: Registry, channel: Channel, wheel: Stored, twin: Twin) -> list[Stored]:
    """The twins under the wheel's labels as these are now; nothing when it is gone."""
    with registry.changing(_REGISTRY, channel.name, Action.UPLOAD) as change:
        now = files.file_by_id(change.db, wheel.id)
        if now is None or now.deleted_at is not None or files.twins_of(change.db, now.id):
            return []
        project = channels.project_by_id(change.db, now.project_id)
        twin = _that_may_stand(change, now, project, _that_has_room(change, now, twin))
        hold(change, twin.artifacts)
        if twin.remark != now.remark:
            files.change_file(change.db, now.id, remark=twin.remark)
        made = [_add(change, now, package) for package in twin.artifacts]
        added = [file for file in made if file is not None]
        if added and project.conda_name is None:
            channels.change_project(change.db, project.id, conda_name=added[0].name)
        if added:
            change.show_conda(*added)
            change.note("twin", now.filename, packages=[file.basename for file in added])
        return added


def _that_has_room(change: Change, wheel: Stored, twin: Twin) -> Twin:
    """The twin, or why there is none: the quota counts it like any file."""
    try:
        have_room(change, (package.size for package in twin.artifacts))
    except Refused as error:
        reason = error.problems[0].message
        return Twin(remark=f"no conda package was made of {wheel.filename}: {reason}")
    return twin


def _that_may_stand(change: Change, wheel: Stored, project: Project, twin: Twin) -> Twin:
    """As at the upload; the token it came with is not known any more, so no other's name is had."""
    pin = upstreams.pin_of(change.db, change.channel.id, "", wheel.filename)
    is_fetched = pin is not None and pin.wanted and pin.sha256 == wheel.sha256
    return permitted(change, ANONYMOUS, project, twin, is_fetched)


def _add(change: Change, wheel: Stored, package: Artifact) -> Stored | None:
    """None when somebody's own package has that name."""
    name = (package.subdir, package.filename)
    if files.file_named(change.db, change.channel.id, *name) is not None:
        return None
    record = record_of(package, change.at)
    new = NewFile(
        package, change.channel.id, wheel.project_id, change.at, wheel.uploader_id, record
    )
    file = files.add_file(change.db, replace(new, made_from=wheel.id), wheel.labels)
    if wheel.yanked is not None:
        files.change_file(change.db, file.id, yanked=wheel.yanked)
        return replace(file, yanked=wheel.yanked)
    return file
