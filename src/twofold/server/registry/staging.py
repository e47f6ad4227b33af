"""Publish in three steps: announce a file, send its bytes, commit. For the Anaconda.org API.

The second step comes without a login: the stage's id, 32 random bytes, is the right to send. The
bytes wait in the object store, so that any server process can do any step.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from pathlib import Path

from twofold.errors import Refused
from twofold.server.gates import Claims
from twofold.server.model import Action, Actor
from twofold.server.registry import Registry, reachable
from twofold.server.registry.publishing import Published, Upload, publish
from twofold.server.store import files, stages

#: How long an announced upload may take.
PATIENCE = timedelta(hours=6)


def announce(
    registry: Registry, actor: Actor, channel: str, basename: str, labels: frozenset[str]
) -> str:
    """The id of a new stage. `basename` is `noarch/x-1-py_0.conda` or a wheel's or sdist's name."""
    at = registry.clock()
    with registry.database.write() as db:
        found = reachable(db, actor, channel, Action.UPLOAD, _project(actor))
        subdir, _, filename = basename.rpartition("/")
        if files.file_named(db, found.id, subdir, filename) is not None:
            raise Refused("file-exists", f"File already exists ({filename[:200]!r})", status=409)
        assert actor.user is not None
        stages.remove_stages_before(db, at - PATIENCE)
        attributes = {"labels": sorted(labels), "channel": channel}
        stage = stages.Stage(secrets.token_hex(32), found.id, actor.user.id, basename, attributes)
        stages.add_stage(db, stage, at)
    return stage.id


def _project(actor: Actor) -> str | None:
    """Whether a token for one project may upload this file is decided when the file is here."""
    return actor.token.project if actor.token else None


def receive(registry: Registry, stage_id: str, path: Path) -> None:
    """Keep the bytes of an announced file. Raises Refused (404) for an unknown stage."""
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    stage = _stage(registry, stage_id)
    registry.blobs.put(sha256, path)
    with registry.database.write() as db:
        stages.change_stage(db, stage_id, {**stage.attributes, "sha256": sha256})


def commit(registry: Registry, actor: Actor, stage_id: str, claims: Claims) -> Published:
    """Publish what was received, by whoever announced it."""
    stage = _stage(registry, stage_id)
    if actor.user is None or actor.user.id != stage.user_id:
        raise Refused("forbidden", "Another user began this upload", status=403)
    sha256 = stage.attributes.get("sha256")
    if sha256 is None:
        raise Refused("nothing-received", "The file has not been sent yet", status=400)
    registry.spool.mkdir(parents=True, exist_ok=True)
    path = registry.spool / f"staged-{stage_id}"
    try:
        registry.blobs.fetch(sha256, path)
        filename = stage.basename.rpartition("/")[2]
        labels = frozenset(stage.attributes["labels"])
        upload = Upload(path, filename, claims, labels)
        done = publish(registry, actor, stage.attributes["channel"], upload)
    finally:
        path.unlink(missing_ok=True)
    with registry.database.write() as db:
        stages.remove_stage(db, stage_id)
    return done


def _stage(registry: Registry, stage_id: str) -> stages.Stage:
    with registry.database.read() as db:
        stage = stages.stage_by_id(db, stage_id)
    if stage is None:
        raise Refused("no-stage", "There is no such upload, or it took too long", status=404)
    return stage
