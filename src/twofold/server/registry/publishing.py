"""Publish: a file comes in, its twin for the other world is made, both appear at once.

Reads as the road does: right to upload, the file's own word, the gates, the twin, the blobs, the
record. Everything before the record can be lost in a kill without a trace but an unused blob.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

from twofold.artifact import Artifact, Kind
from twofold.errors import BadFile, Refused
from twofold.formats.conda_reading import parse_json, read_info
from twofold.formats.opening import read
from twofold.names import normalised
from twofold.server import gates
from twofold.server.model import Action, Actor, Project, Stored
from twofold.server.pages import MAIN, PRE
from twofold.server.registry import Change, Registry, reachable
from twofold.server.registry.admission import have_room, may_begin, may_grow
from twofold.server.registry.at_hand import at_hand
from twofold.server.registry.holding import hold
from twofold.server.registry.labelling import check_label, demand_unlocked
from twofold.server.registry.later_twins import make_those_that_waited
from twofold.server.registry.privacy import is_private
from twofold.server.registry.twin_names import permitted
from twofold.server.registry.twins import (
    Twin,
    is_same_package,
    make_twin,
)
from twofold.server.rendering.conda import record_of
from twofold.server.store import Connection, channels, files, upstreams
from twofold.server.store.files import NewFile
from twofold.server.store.upstreams import CONDA, PYPI

RUN_EXPORTS = "info/run_exports.json"


@dataclass(frozen=True)
class Upload:
    """A file as it came in: where its bytes lie now, its claimed name, what the form says.

    `labels` empty means `main`. `attestations` are PEP 740's, as the form has them. What is fetched
    from an upstream is named as it is there, by the customs of its time.
    """

    path: Path
    filename: str
    claims: gates.Claims = field(default_factory=gates.Claims)
    labels: frozenset[str] = frozenset()
    attestations: str = ""
    is_fetched: bool = False


@dataclass(frozen=True)
class Published:
    """What became of an upload: `twins` are the packages made of a wheel, `remark` why none."""

    file: Stored
    is_new: bool
    twins: tuple[Stored, ...] = ()
    remark: str | None = None


def publish(registry: Registry, actor: Actor, channel: str, upload: Upload) -> Published:
    """Take a file into a channel. The same file again changes nothing.

    Raises Refused (no right, a gate) and Unreachable (the store is away: nothing has changed).
    """
    gates.file_name_is_plain(upload.filename)
    for label in upload.labels:
        check_label(label)
    with _aside(registry, upload) as path:
        gates.digests_match(upload.claims, path)
        artifact = _own_word(path)
        gates.form_agrees(upload.claims, artifact)
        gates.requirements_are_bounded(artifact)
        if not upload.is_fetched:
            gates.sdist_name_is_normal(artifact)
        gates.content_is_sound(path)
        with registry.database.read() as db:
            found = reachable(db, actor, channel, Action.UPLOAD, normalised(artifact.name))
            taken = files.file_named(db, found.id, artifact.subdir, artifact.filename)
        if not _is_free(registry, path, artifact, taken):
            assert taken is not None
            with registry.database.read() as db:
                return _unchanged(db, taken)
        ready = Ready(
            upload,
            artifact,
            Twin(),
            _provenance(registry, actor, upload, artifact),
            _run_exports(artifact),
        )
        known = at_hand(registry, found, artifact)
        with ThreadPoolExecutor(1) as aside:  # the disk writes while the twin is compressed
            stored = aside.submit(registry.blobs.put, artifact.sha256, path)
            twin = make_twin(artifact, path.parent / "twin", known)
            stored.result()
        for made in twin.artifacts:
            registry.blobs.put(made.sha256, made.path)
        done = _record(registry, actor, channel, replace(ready, twin=twin))
    make_those_that_waited(registry, found, done.file)
    return done


@dataclass(frozen=True)
class Ready:
    """A file that passed the gates, with its twin and its provenance."""

    upload: Upload
    artifact: Artifact
    twin: Twin
    provenance: str | None
    run_exports: str | None


def _run_exports(artifact: Artifact) -> str | None:
    """What a conda package exports to what is built with it (CEP 12), as JSON."""
    if not artifact.kind.is_conda:
        return None
    found = read_info(artifact.path, {"info/index.json": 1 << 20, RUN_EXPORTS: 1 << 20})
    text = found.get(RUN_EXPORTS)
    return json.dumps(parse_json(text, artifact.path, RUN_EXPORTS)) if text else None


def _is_free(registry: Registry, path: Path, artifact: Artifact, taken: Stored | None) -> bool:
    """As gates.name_is_free; a package of a twin's very content is the twin, not another file."""
    if taken is not None and taken.made_from is not None and taken.deleted_at is None:
        is_other = taken.sha256 != artifact.sha256
        if is_other and is_same_package(registry, taken, path):
            return False
    return gates.name_is_free(artifact, taken)


@contextmanager
def _aside(registry: Registry, upload: Upload) -> Iterator[Path]:
    """The upload under its own name in a folder of its own, gone afterwards."""
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="upload-", dir=registry.spool))
    try:
        path = folder / upload.filename
        upload.path.replace(path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _own_word(path: Path) -> Artifact:
    """What the file says of itself; a malformed one is refused with every reason found."""
    try:
        artifact = read(path)
    except BadFile as error:
        reasons = "; ".join(problem.message for problem in error.problems)
        raise Refused("invalid-file", f"Invalid file {path.name}: {reasons}", error.hint) from error
    return artifact if artifact.kind.is_conda else replace(artifact, subdir="")


def _record(registry: Registry, actor: Actor, channel: str, ready: Ready) -> Published:
    """Both files and the pages that show them, in one transaction."""
    upload, artifact, twin = ready.upload, ready.artifact, ready.twin
    key = normalised(artifact.name)
    with registry.changing(actor, channel, Action.UPLOAD, key) as change:
        taken = files.file_named(change.db, change.channel.id, artifact.subdir, artifact.filename)
        if not _is_free(registry, artifact.path, artifact, taken):  # another upload was faster
            assert taken is not None
            return _unchanged(change.db, taken)
        if upload.is_fetched:
            _demand_not_private(change, artifact)
        project = project_of(change, key, artifact)
        twin = permitted(change, actor, project, twin, upload.is_fetched)
        project = known_to_conda(change, project, artifact, twin)
        have_room(change, (coming.size for coming in (artifact, *twin.artifacts)))
        labels = upload.labels or default_labels(artifact)
        demand_unlocked(change, labels)
        new = _new_file(change, project, artifact)
        new = replace(
            new, remark=twin.remark, provenance=ready.provenance, run_exports=ready.run_exports
        )
        hold(change, [artifact, *twin.artifacts])
        file = files.add_file(change.db, new, labels)
        made = []
        for package in twin.artifacts:
            if _twin_is_free(change, package):
                new = replace(_new_file(change, project, package), made_from=file.id)
                made.append(files.add_file(change.db, new, labels))
        change.show(project, file, *made)
        change.note("publish", file.basename, sha256=file.sha256)
        return Published(file, True, tuple(made), twin.remark)


def _demand_not_private(change: Change, artifact: Artifact) -> None:
    """A name may have become the channel's own while its file was on the way from the upstream."""
    kind = CONDA if artifact.kind.is_conda else PYPI
    upstream = upstreams.upstream_of(change.db, change.channel.id, kind)
    if upstream is None or is_private(change.db, change.channel, upstream, artifact.name):
        raise Refused(
            "private-name",
            f"'{artifact.name}' is private in channel '{change.channel.name}'",
            "its upstream does not answer for it",
            403,
        )


def _provenance(registry: Registry, actor: Actor, upload: Upload, artifact: Artifact) -> str | None:
    if not upload.attestations:
        return None
    from twofold.server.attestations import Judge, provenance_of

    publisher = {"kind": "twofold", "user": actor.name}
    if actor.token is not None and "publisher" in actor.token.application:
        publisher = {"kind": "trusted", **actor.token.application["publisher"]}
    judge = Judge(registry.trust_roots, registry.clock())
    return provenance_of(upload.attestations, artifact, publisher, judge)


def _new_file(change: Change, project: Project, artifact: Artifact) -> NewFile:
    record = record_of(artifact, change.at) if artifact.kind.is_conda else None
    user = change.actor.user
    uploader = user.id if user else None
    return NewFile(artifact, change.channel.id, project.id, change.at, uploader, record)


def _twin_is_free(change: Change, artifact: Artifact) -> bool:
    """A package that somebody uploaded under the twin's name is not replaced."""
    name = (artifact.subdir, artifact.filename)
    return files.file_named(change.db, change.channel.id, *name) is None


def project_of(change: Change, key: str, artifact: Artifact) -> Project:
    """The project of a file, made when it is the first."""
    found = channels.project_by_key(change.db, change.channel.id, key)
    if found is None:
        may_begin(change, key)
        return channels.add_project(change.db, change.channel.id, key, artifact.name, change.at)
    may_grow(found)
    return found


def known_to_conda(change: Change, project: Project, artifact: Artifact, twin: Twin) -> Project:
    """The project, with the name that its first package has."""
    packages = (artifact,) if artifact.kind.is_conda else twin.artifacts
    if not packages or project.conda_name is not None:
        return project
    channels.change_project(change.db, project.id, conda_name=packages[0].name)
    return replace(project, conda_name=packages[0].name)


def default_labels(artifact: Artifact) -> frozenset[str]:
    """`main`; a pre-release on the PyPI side is labelled `pre`, since pip leaves it out unasked."""
    from packaging.version import InvalidVersion, Version

    if artifact.kind in (Kind.WHEEL, Kind.SDIST):
        try:
            return frozenset({PRE if Version(artifact.version).is_prerelease else MAIN})
        except InvalidVersion:
            return frozenset({MAIN})
    return frozenset({MAIN})


def _unchanged(db: Connection, file: Stored) -> Published:
    twins = files.twins_of(db, file.id)
    return Published(file, False, tuple(twins), file.remark)
