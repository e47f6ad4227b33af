"""Fetch a file from the upstream on request, verify it, and publish it like any upload.

Only pinned files are fetched, and only content with the pinned hash is published.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from twofold.errors import Refused
from twofold.fetching.client import fetch_file
from twofold.server.admission.checks import FormClaims
from twofold.server.admission.names import is_private
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel
from twofold.server.proxy import metadata_cache
from twofold.server.proxy.metadata_cache import CONDA, PYPI
from twofold.server.registry.publish import Upload, publish
from twofold.server.store import accounts, audit, files, upstreams
from twofold.server.store.upstreams import Pin, Upstream

#: The largest file that is fetched (bytes).
MAX_FILE_SIZE = 4 << 30


@dataclass(frozen=True)
class FileRequest:
    """A requested file that the upstream may have. `subdir` is '' on the PyPI side."""

    channel: str
    subdir: str
    filename: str
    sha256: str | None = None

    @property
    def kind(self) -> str:
        """The kind of upstream: conda or PyPI."""
        return CONDA if self.subdir else PYPI

    @property
    def name(self) -> str:
        """The project or package name, parsed from the file name."""
        if self.kind == CONDA:
            return self.filename.rsplit("-", 2)[0]
        is_wheel = self.filename.endswith(".whl")
        return self.filename.split("-")[0] if is_wheel else self.filename.rpartition("-")[0]


@dataclass(frozen=True)
class FetchableFile:
    """A requested file that can be fetched: pinned, not yet stored, not private."""

    channel: Channel
    upstream: Upstream
    pin: Pin
    owner: Actor


def fetch_missing(registry: Registry, actor: Actor, request: FileRequest) -> bool:
    """Fetch and publish a pinned file that is not stored yet. True when it was fetched.

    Does nothing for a file that is stored, was deleted, is not pinned, or whose name is private.
    Raises Unreachable, and Refused (502) when the content does not match the pin.
    """
    found = find_fetchable(registry, actor, request)
    if found is not None:
        fetch_and_publish(registry, found)
    return found is not None


def find_fetchable(registry: Registry, actor: Actor, request: FileRequest) -> FetchableFile | None:
    """Return the pinned file to fetch, or None if fetching is forbidden or unnecessary."""
    if not has_upstream(registry, request.channel, request.kind):
        return None
    found = _find_pin(registry, actor, request)
    if isinstance(found, FetchableFile) or found is None or request.kind == PYPI:
        return found if isinstance(found, FetchableFile) else None
    # A client may know the package from an old cached shard: look it up once.
    channel, upstream = found
    listed = metadata_cache.cached_shard_list(registry, upstream, request.subdir)
    if listed is None or request.name not in listed[0].shards:
        return None
    metadata_cache.cached_shard(
        registry, channel, upstream, listed[0], (request.subdir, request.name)
    )
    again = _find_pin(registry, actor, request)
    return again if isinstance(again, FetchableFile) else None


def _find_pin(
    registry: Registry, actor: Actor, request: FileRequest
) -> FetchableFile | tuple[Channel, Upstream] | None:
    """Return the fetchable file; (channel, upstream) when it has no pin; None when forbidden."""
    with registry.database.read() as db:
        channel = require_channel(db, actor, request.channel, Action.READ)
        upstream = upstreams.find_upstream(db, channel.id, request.kind)
        if upstream is None:
            return None
        if files.find_file(db, channel.id, request.subdir, request.filename) is not None:
            return None
        if is_private(db, channel, upstream, request.name):
            return None
        pin = upstreams.find_pin(db, channel.id, request.subdir, request.filename)
        if pin is None:
            return channel, upstream
        if pin.kind != request.kind or request.sha256 not in (None, pin.sha256):
            return None
        owner = accounts.find_user_by_id(db, channel.owner_id)
    return FetchableFile(channel, upstream, pin, Actor(owner))


def has_upstream(registry: Registry, channel: str, kind: str) -> bool:
    """Whether the channel has an upstream of this kind; answered from memory."""

    def read() -> list[tuple[str, str]]:
        with registry.database.read() as db:
            return [(name, one.kind) for name, one in upstreams.list_upstreams(db)]

    return (channel, kind) in registry.proxied_channels.get_all(read)


def fetch_and_publish(registry: Registry, file: FetchableFile) -> None:
    """Download a file, verify its hash and publish it as the owner of the channel."""
    channel, pin = file.channel, file.pin
    registry.spool.mkdir(parents=True, exist_ok=True)
    path = registry.spool / f"fetched-{os.urandom(12).hex()}"
    try:
        fetch_file(metadata_cache.upstream_source(file.upstream), pin.url, path, MAX_FILE_SIZE)
        _check_hash(registry, channel, pin, path)
        with registry.database.write() as db:
            upstreams.update_pin(db, channel.id, pin, wanted=True)
            note = audit.AuditEntry(
                registry.clock(), "upstream", "fetch", channel.name, pin.filename
            )
            audit.add_entry(db, replace(note, detail={"url": pin.url, "sha256": pin.sha256}))
        claims = FormClaims(subdir=pin.subdir, digests={"sha256": pin.sha256})
        upload = Upload(path, pin.filename, claims, is_fetched=True)
        publish(registry, file.owner, channel.name, upload)
    except Refused as error:
        if error.status == 502:
            raise
        reason = error.problems[0].message
        text = f"The upstream's {pin.filename} was refused: {reason}"
        raise Refused("upstream-refused", text, status=502) from error
    finally:
        path.unlink(missing_ok=True)


def _check_hash(registry: Registry, channel: Channel, pin: Pin, path: Path) -> None:
    with path.open("rb") as fetched:
        actual = hashlib.file_digest(fetched, "sha256").hexdigest()
    if actual == pin.sha256:
        return
    with registry.database.write() as db:
        metadata_cache.audit_hash_change(registry, db, channel, pin, actual)
    raise Refused(
        "upstream-changed",
        f"The upstream's {pin.filename} has changed since it was first seen "
        f"({actual[:16]}..., first seen {pin.sha256[:16]}...)",
        "ask its author; 'twofold admin log' shows both hashes",
        502,
    )
