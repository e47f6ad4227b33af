"""Uploads in three steps for the Anaconda.org API: begin, send the bytes, commit.

The second step carries no login: the stage id, 32 random bytes, authorizes it. The bytes are kept
in the object store, so that any server process can handle any step.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from twofold.errors import Refused
from twofold.server.admission import checks
from twofold.server.admission.checks import FormClaims
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, StoredFile
from twofold.server.registry import lifecycle
from twofold.server.registry.labels import check_label
from twofold.server.registry.lifecycle import restore_deleted
from twofold.server.registry.publish import Upload, UploadResult, publish
from twofold.server.store import blob_refs, files

#: How long a staged upload may take.
STAGE_LIFETIME = timedelta(hours=6)

#: The longest attributes of a file (characters of JSON).
MAX_ATTRS_LENGTH = 100_000


@dataclass(frozen=True)
class StagedUpload:
    """A file to be uploaded; `basename` is `noarch/x-1-py_0.conda`, or a file name.

    `sha256` is '' when not declared. Empty `labels` mean the default. `description` and `attrs` are
    shown beside the file's own metadata.
    """

    basename: str
    labels: frozenset[str] = frozenset()
    sha256: str = ""
    description: str = ""
    attrs: Mapping[str, Any] = field(default_factory=dict)

    @property
    def split_basename(self) -> tuple[str, str]:
        """Return (subdir, file name)."""
        subdir, _, filename = self.basename.rpartition("/")
        return subdir, filename


def begin(registry: Registry, actor: Actor, channel: str, upload: StagedUpload) -> str:
    """Begin a staged upload; return its id.

    Raises Refused: 409 when the file exists, 400 when its name can never be used. A deleted file
    may be uploaded again with the same content.
    """
    at = registry.clock()
    checks.check_file_name(upload.split_basename[1])
    for label in upload.labels:
        check_label(label)
    with registry.database.write() as db:
        found = require_channel(db, actor, channel, Action.UPLOAD, _token_project(actor))
        taken = files.find_file(db, found.id, *upload.split_basename)
        if taken is not None and taken.made_from is None:
            _check_same_content(taken, upload)
        assert actor.user is not None
        blob_refs.delete_stages_before(db, at - STAGE_LIFETIME)
        attributes = {
            "labels": sorted(upload.labels),
            "channel": channel,
            "announced": upload.sha256.lower(),
            **_stored_attributes(upload),
        }
        stage_id = secrets.token_hex(32)
        stage = blob_refs.Stage(stage_id, found.id, actor.user.id, upload.basename, attributes)
        blob_refs.add_stage(db, stage, at)
    return stage_id


def _stored_attributes(upload: StagedUpload) -> dict[str, Any]:
    """Return the attributes to store; very long attrs are dropped."""
    attrs = dict(upload.attrs) if len(json.dumps(upload.attrs)) <= MAX_ATTRS_LENGTH else {}
    return {"description": upload.description[:MAX_ATTRS_LENGTH], "attrs": attrs}


def _check_same_content(taken: StoredFile, upload: StagedUpload) -> None:
    if taken.deleted_at is None:
        raise Refused("file-exists", f"File already exists ({taken.filename!r})", status=409)
    if upload.sha256 and upload.sha256.lower() != taken.sha256:
        raise Refused(
            "file-name-used",
            f"File already exists ({taken.filename!r} was deleted; a used name stays used)",
            "release a new version or raise the build number; the deleted file comes back when "
            "its own bytes are uploaded again",
        )


def _token_project(actor: Actor) -> str | None:
    """Return a project of the token; whether it fits the file is checked at commit."""
    return actor.token.projects[0] if actor.token and actor.token.projects else None


def store_bytes(registry: Registry, stage_id: str, path: Path, md5: str = "") -> None:
    """Store the bytes of a staged file; `md5` (hex) is checked when given.

    Raises Refused: 404 for an unknown stage, 400 (digest-mismatch) for damaged bytes.
    """
    stage = require_stage(registry, stage_id)
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    announced = str(stage.attributes.get("announced", ""))
    if announced and not hmac.compare_digest(announced.encode(), sha256.encode()):
        raise Refused(
            "digest-mismatch",
            f"The sha256 digest of what came is {sha256}, announced was {announced[:80]}",
            "the file was damaged on its way; upload it again",
        )
    if md5:
        checks.check_digests(FormClaims(digests={"md5": md5}), path)
    registry.blobs.take(sha256, path)
    with registry.database.write() as db:
        blob_refs.update_stage(db, stage_id, {**stage.attributes, "sha256": sha256})


def commit(registry: Registry, actor: Actor, stage_id: str, claims: FormClaims) -> UploadResult:
    """Publish the stored bytes; only the user who began the upload may."""
    stage = require_stage(registry, stage_id)
    if actor.user is None or actor.user.id != stage.user_id:
        raise Refused("forbidden", "Another user began this upload", status=403)
    sha256 = stage.attributes.get("sha256")
    if sha256 is None:
        raise Refused("nothing-received", "The file has not been sent yet", status=400)
    registry.spool.mkdir(parents=True, exist_ok=True)
    path = registry.spool / f"staged-{stage_id}-{secrets.token_hex(4)}"
    try:
        _fetch(registry, sha256, path)
        done = _publish(registry, actor, stage, path, claims)
        description = lifecycle.FileDescription(
            done.file, stage.attributes["description"], stage.attributes["attrs"]
        )
        if description.description or description.attributes:
            lifecycle.describe_file(registry, actor, stage.attributes["channel"], description)
    finally:
        path.unlink(missing_ok=True)
    with registry.database.write() as db:
        blob_refs.remove_stage(db, stage_id)
    return done


def _fetch(registry: Registry, sha256: str, path: Path) -> None:
    try:
        registry.blobs.fetch(sha256, path)
    except FileNotFoundError as error:  # collected as garbage between the steps
        text = "The uploaded bytes are no longer stored"
        raise Refused("nothing-received", text, "upload it again") from error


def _publish(
    registry: Registry, actor: Actor, stage: blob_refs.Stage, path: Path, claims: FormClaims
) -> UploadResult:
    channel = stage.attributes["channel"]
    subdir, filename = StagedUpload(stage.basename).split_basename
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.UPLOAD, _token_project(actor))
        taken = files.find_file(db, found.id, subdir, filename)
    if taken and taken.deleted_at and taken.sha256 == stage.attributes["sha256"]:
        file, packages = restore_deleted(registry, actor, channel, taken, path)
        return UploadResult(file, True, tuple(packages), file.remark)
    labels = frozenset(stage.attributes["labels"])
    upload = Upload(path, filename, replace(claims, subdir=subdir), labels)
    return publish(registry, actor, channel, upload)


def require_stage(registry: Registry, stage_id: str) -> blob_refs.Stage:
    """Return the stage. Raises Refused (404) for an unknown or outdated one."""
    with registry.database.read() as db:
        stage = blob_refs.find_stage(db, stage_id)
    if stage is None:
        raise Refused("no-stage", "There is no such upload, or it took too long", status=404)
    return stage
