"""Publish an uploaded file together with the conda packages converted from it.

The steps in order: check the form, read the file, run the admission checks, convert, store the
blobs, record everything in one transaction. A kill before the last step leaves nothing behind but
unreferenced blobs.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import mkdtemp

from twofold.artifact import Artifact, Kind
from twofold.errors import BadFile, Refused
from twofold.formats.reader import read_artifact, read_sdist_artifact
from twofold.names import normalize_name
from twofold.server.admission import checks
from twofold.server.admission.names import find_sources
from twofold.server.admission.policy import check_new_file, check_quota
from twofold.server.auth.upload_credentials import describe_credential
from twofold.server.context import Registry, Transaction, require_channel
from twofold.server.model import Action, Actor, Channel, Project, StoredFile
from twofold.server.pages.conda_records import make_record
from twofold.server.pages.page_updates import MAIN, PRE
from twofold.server.registry.browsing.package_info import read_package_info
from twofold.server.registry.conversion import (
    ConversionResult,
    check_conda_name,
    convert_upload,
    convert_waiting,
    heal_converted,
    is_same_package,
    record_converted,
)
from twofold.server.registry.deferred_conversion import (
    PENDING,
    is_deferred,
    request_conversion,
)
from twofold.server.registry.labels import check_label, check_unlocked
from twofold.server.registry.local_metadata import find_known_names
from twofold.server.registry.replacement import (
    can_replace,
    find_converted_other,
    replace_converted,
)
from twofold.server.store import Connection, channels, files
from twofold.server.store.blob_refs import protect_blobs
from twofold.server.store.files import NewFile
from twofold.server.store.upstreams import CONDA, PYPI

#: Threads that write uploads to the object store.
_writers = ThreadPoolExecutor(16, "twofold-writer")


@dataclass(frozen=True)
class Upload:
    """A received file: the path of its bytes, its file name, and the form fields.

    Empty `labels` mean the default. `attestations` is the form's field (PEP 740). Files fetched
    from an upstream (`is_fetched`) or another registry (`is_imported`) keep their names there,
    which may predate PEP 625. `hashes` are the file's (size, SHA-256, MD5) where they are known.
    `on_checked` is called once the content has passed the checks, before
    it is converted; it may refuse it.
    """

    path: Path
    filename: str
    claims: checks.FormClaims = field(default_factory=checks.FormClaims)
    labels: frozenset[str] = frozenset()
    attestations: str = ""
    is_fetched: bool = False
    is_imported: bool = False
    hashes: tuple[int, str, str] | None = None
    on_checked: Callable[[Artifact], None] = lambda _: None


@dataclass(frozen=True)
class UploadResult:
    """Result of an upload: `converted` are the packages, `conversion_note` why none."""

    file: StoredFile
    is_new: bool
    converted: tuple[StoredFile, ...] = ()
    conversion_note: str | None = None


def publish(registry: Registry, actor: Actor, channel: str, upload: Upload) -> UploadResult:
    """Publish a file in a channel. Uploading the same file again changes nothing.

    Raises Refused (permission, admission) and Unreachable (store down; nothing has changed).
    """
    checks.check_file_name(upload.filename)
    for label in upload.labels:
        check_label(label)
    with _named_copy(registry, upload) as path, registry.blobs.flushing(path):
        artifact = _read_checked(path, upload)
        checks.check_form_matches(upload.claims, artifact)
        checks.check_requirement_limits(artifact)
        checks.check_metadata_limits(artifact)
        if not upload.is_fetched and not upload.is_imported:
            checks.check_sdist_name(artifact)
        if not path.name.endswith(".zip"):  # an sdist as zip: reading it checked its structure
            checks.check_content(path, artifact)
        with registry.database.read() as db:
            found = require_channel(
                db, actor, channel, Action.UPLOAD, normalize_name(artifact.name)
            )
            taken = files.find_file(db, found.id, artifact.subdir, artifact.filename)
        if not _is_new_name(registry, path, artifact, taken, upload.is_fetched):
            assert taken is not None
            registry.blobs.heal(artifact.sha256, path)
            with registry.database.read() as db:
                existing = _existing_result(db, taken)
            heal_converted(registry, found, artifact, existing.converted)
            return existing
        package_info = _read_kept(artifact)
        upload.on_checked(artifact)
        ready = CheckedUpload(
            upload,
            artifact,
            ConversionResult(),
            _make_provenance(registry, actor, upload, artifact),
            *package_info,
        )
        # Written to disk while the package is compressed.
        stored = _writers.submit(registry.blobs.take, artifact.sha256, path)
        try:
            conversion = _convert(registry, found, artifact)
        finally:
            wait([stored])  # it reads the file
        stored.result()
        for made in conversion.artifacts:
            registry.blobs.take(made.sha256, made.path)
        done = _record_upload(registry, actor, channel, replace(ready, conversion=conversion))
    if done.conversion_note == PENDING:
        request_conversion(registry, done.file.sha256)
    registry.description_renderer.request(registry.database, done.file)
    convert_waiting(registry, found, done.file)
    return done


def _convert(registry: Registry, channel: Channel, artifact: Artifact) -> ConversionResult:
    if is_deferred(artifact):
        return ConversionResult(note=PENDING)
    known = find_known_names(registry, channel, artifact)
    return convert_upload(artifact, artifact.path.parent / "twin", known)


@dataclass(frozen=True)
class CheckedUpload:
    """A file that passed the admission checks, with its conversion and provenance."""

    upload: Upload
    artifact: Artifact
    conversion: ConversionResult
    provenance: str | None
    run_exports: str | None
    about: str | None


def _is_new_name(
    registry: Registry,
    path: Path,
    artifact: Artifact,
    taken: StoredFile | None,
    is_fetched: bool,
) -> bool:
    """Like `check_name_free`, but an author's package may replace a converted one.

    A package with the converted package's content is not new.
    """
    if is_fetched or not can_replace(taken, artifact.sha256):
        return checks.check_name_free(artifact, taken)
    assert taken is not None
    return taken.deleted_at is not None or not is_same_package(registry, taken, path)


@contextmanager
def _named_copy(registry: Registry, upload: Upload) -> Iterator[Path]:
    """Move the upload to its own name in a temporary folder, deleted afterwards."""
    registry.spool.mkdir(parents=True, exist_ok=True)
    folder = Path(mkdtemp(prefix="upload-", dir=registry.spool))
    try:
        path = folder / upload.filename
        upload.path.replace(path)
        yield path
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read_checked(path: Path, upload: Upload) -> Artifact:
    """Read the file's metadata and check its digests.

    Raises Refused with every reason for a malformed file. Only indexes have sdists as .zip: they
    are fetched and never uploaded.
    """
    is_zip = upload.is_fetched and path.name.endswith(".zip")
    try:
        read = read_sdist_artifact if is_zip else read_artifact
        artifact = read(path, upload.hashes)
        checks.check_digests(upload.claims, path, artifact)
    except BadFile as error:
        checks.check_digests(upload.claims, path)  # a damaged file is not malformed
        raise checks.make_refusal(path, error) from error
    return artifact if artifact.kind.is_conda else artifact._replace(subdir="")


def _read_kept(artifact: Artifact) -> tuple[str | None, str | None]:
    """Return what is kept beside the metadata. Raises Refused where it is too much."""
    checks.check_kept_size(artifact)
    try:
        found = read_package_info(artifact.path)
    except BadFile as error:
        raise checks.make_refusal(artifact.path, error) from error
    checks.check_kept_size(artifact, *found)
    return found


def _record_upload(
    registry: Registry, actor: Actor, channel: str, ready: CheckedUpload
) -> UploadResult:
    """Record the file, its converted packages and their pages in one transaction."""
    upload, artifact, conversion = ready.upload, ready.artifact, ready.conversion
    key = normalize_name(artifact.name)
    with registry.transaction(actor, channel, Action.UPLOAD, key) as change:
        taken = files.find_file(change.db, change.channel.id, artifact.subdir, artifact.filename)
        if not _is_new_name(registry, artifact.path, artifact, taken, upload.is_fetched):
            # another upload was faster
            assert taken is not None
            return _existing_result(change.db, taken)
        if upload.is_fetched:
            _check_not_private(change, artifact)
        project = _get_or_create_project(change, key, artifact, upload.is_fetched)
        conversion = check_conda_name(change, actor, project, conversion, upload.is_fetched)
        project = _set_conda_name(change, project, artifact, conversion)
        check_quota(
            change.db, change.channel, (file_.size for file_ in (artifact, *conversion.artifacts))
        )
        replaced = taken
        if taken is None and not upload.is_fetched:
            replaced = find_converted_other(change, artifact.subdir, artifact.filename)
        labels = upload.labels or _choose_labels(artifact, replaced)
        check_unlocked(change, labels)
        if replaced is not None:
            replace_converted(change, replaced)
        new = _make_new_file(change, project, artifact)
        new = replace(
            new,
            remark=conversion.note,
            provenance=ready.provenance,
            run_exports=ready.run_exports,
            about=ready.about,
            uploaded_with=describe_credential(actor, upload.is_fetched, upload.is_imported),
        )
        protect_blobs(change.db, registry.blobs, [artifact, *conversion.artifacts], change.at)
        file = files.add_file(change.db, new, labels)
        if replaced is not None and replaced.yanked is not None:
            files.update_file(change.db, file.id, yanked=replaced.yanked)
            file = replace(file, yanked=replaced.yanked)
        made = record_converted(change, file, project, conversion.artifacts)
        if replaced is None:
            change.add_to_pages(project, file, *made)
        else:
            change.rerender(project, file, *made, labels=replaced.labels)
        change.audit("publish", file.basename, sha256=file.sha256)
        return UploadResult(file, True, tuple(made), conversion.note)


def _check_not_private(change: Transaction, artifact: Artifact) -> None:
    """Check again that the name did not become private during the fetch. Raises Refused."""
    kind = CONDA if artifact.kind.is_conda else PYPI
    if not find_sources(change.db, change.channel, kind, artifact.name):
        raise Refused(
            "private-name",
            f"'{artifact.name}' is private in channel '{change.channel.name}'",
            "private names are never fetched from the upstream",
            403,
        )


def _make_provenance(
    registry: Registry, actor: Actor, upload: Upload, artifact: Artifact
) -> str | None:
    if not upload.attestations:
        return None
    from twofold.server.auth.attestations import TrustPolicy, make_provenance

    publisher = {"kind": "twofold", "user": actor.name}
    if actor.token is not None and "publisher" in actor.token.application:
        publisher = {"kind": "trusted", **actor.token.application["publisher"]}
    judge = TrustPolicy(registry.trust_roots, registry.clock())
    return make_provenance(upload.attestations, artifact, publisher, judge)


def _make_new_file(change: Transaction, project: Project, artifact: Artifact) -> NewFile:
    record = make_record(artifact, change.at) if artifact.kind.is_conda else None
    user = change.actor.user
    uploader = user.id if user else None
    return NewFile(artifact, change.channel.id, project.id, change.at, uploader, record)


def _get_or_create_project(
    change: Transaction, key: str, artifact: Artifact, is_fetched: bool
) -> Project:
    """Return the project of a file; create it with its first file."""
    found = check_new_file(change.db, change.channel, change.actor, key, is_fetched)
    if found is not None:
        return found
    return channels.add_project(change.db, change.channel.id, key, artifact.name, change.at)


def _set_conda_name(
    change: Transaction, project: Project, artifact: Artifact, conversion: ConversionResult
) -> Project:
    """Set the project's conda name to that of its first package; return the project."""
    packages = (artifact,) if artifact.kind.is_conda else conversion.artifacts
    if not packages or project.conda_name is not None:
        return project
    channels.update_project(change.db, project.id, conda_name=packages[0].name)
    return replace(project, conda_name=packages[0].name)


def _choose_labels(artifact: Artifact, replaced: StoredFile | None) -> frozenset[str]:
    """Return the labels of the converted package that the file replaces, else the default."""
    is_shown = replaced is not None and replaced.deleted_at is None
    return replaced.labels if replaced and is_shown else choose_default_labels(artifact)


def choose_default_labels(artifact: Artifact) -> frozenset[str]:
    """Return `main`, or `pre` for wheels and sdists of a pre-release: pip skips them."""
    from packaging.version import InvalidVersion, Version

    if artifact.kind in (Kind.WHEEL, Kind.SDIST):
        try:
            return frozenset({PRE if Version(artifact.version).is_prerelease else MAIN})
        except InvalidVersion:
            return frozenset({MAIN})
    return frozenset({MAIN})


def _existing_result(db: Connection, file: StoredFile) -> UploadResult:
    packages = files.list_converted_packages(db, file.id)
    return UploadResult(file, False, tuple(packages), file.remark)
