"""Fetch a file from the upstream on request, verify it, and publish it like any upload.

Only pinned files are fetched, and only content with the pinned hash is published.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Thread

from twofold.artifact import Artifact
from twofold.errors import Refused, TwofoldError, Unreachable
from twofold.fetching.client import fetch_file
from twofold.names import normalize_name
from twofold.server.admission.checks import FormClaims
from twofold.server.admission.names import find_sources
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel
from twofold.server.proxy import metadata_cache
from twofold.server.proxy.metadata_cache import CONDA, PYPI
from twofold.server.proxy.policy.refusals import (
    Refusal,
    check_license,
    check_listed_license,
    check_policy,
    remember_refusal,
)
from twofold.server.proxy.policy.refusals import find_refusals as find_refusals
from twofold.server.proxy.remote_files import deserialize
from twofold.server.proxy.takebacks import carry_over
from twofold.server.registry.publish import Upload, publish
from twofold.server.registry.queries import check_not_quarantined
from twofold.server.store import (
    accounts,
    audit,
    channels,
    files,
    upstream_cache,
    upstreams,
)
from twofold.server.store.downloads import Download as Download
from twofold.server.store.upstreams import Pin, Upstream

log = logging.getLogger("twofold.server")

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


def fetch_missing(registry: Registry, actor: Actor, request: FileRequest) -> bool:
    """Fetch and publish a pinned file that is not stored yet. True when it was fetched.

    Does nothing for a file that is stored, was deleted, is not pinned, or whose name is private.
    Raises Unreachable, and Refused: 502 when the content does not match the pin, 403 when the
    registry does not accept the file.
    """
    found = start_fetch(registry, actor, request)
    if found is not None:
        found[0].wait()
    return found is not None


def start_fetch(
    registry: Registry, actor: Actor, request: FileRequest
) -> tuple[Download, Channel] | None:
    """Start to fetch a file, or join the fetch that runs; None where `fetch_missing` does nothing.

    Returns the channel with it. Raises Refused for a file that was refused before.
    """
    found = find_fetchable(registry, actor, request)
    if found is None:
        return None
    key = (found.channel.id, found.pin.subdir, found.pin.filename)
    download = registry.proxied_channels.downloads.start(
        key,
        (registry.spool, found.pin.sha256),
        lambda download: fetch_and_publish(registry, found, download),
    )
    return download, found.channel


def find_fetchable(registry: Registry, actor: Actor, request: FileRequest) -> FetchableFile | None:
    """Return the pinned file to fetch, or None if fetching is forbidden or unnecessary."""
    if not has_upstream(registry, request.channel, request.kind):
        return None
    found = _find_pin(registry, actor, request)
    if isinstance(found, FetchableFile) or found is None:
        return found
    channel, sources, name = found
    if request.kind == PYPI:
        metadata_cache.find_project(registry, channel, normalize_name(name))
        again = _find_pin(registry, actor, request)
        return again if isinstance(again, FetchableFile) else None
    # A client may know the package from an old cached shard: look it up once.
    for upstream in sources:
        listed = metadata_cache.cached_shard_list(registry, upstream, request.subdir)
        if listed is not None and name in listed[0].shards:
            place = (request.subdir, name)
            metadata_cache.cached_shard(registry, channel, upstream, listed[0], place)
            break
    else:
        return None
    again = _find_pin(registry, actor, request)
    return again if isinstance(again, FetchableFile) else None


def _find_pin(
    registry: Registry, actor: Actor, request: FileRequest
) -> FetchableFile | tuple[Channel, list[Upstream], str] | None:
    """Return the fetchable file; (channel, upstreams, name) to ask first; None when forbidden.

    Those are asked for packages without a pin, and for files whose page is not cached: one of a
    project that is offered by metadata, or of an upstream that was removed.
    """
    with registry.database.read() as db:
        channel = require_channel(db, actor, request.channel, Action.READ)
        if files.find_file(db, channel.id, request.subdir, request.filename) is not None:
            return None
        pin = upstreams.find_pin(db, channel.id, request.subdir, request.filename)
        # The page's project: a file name may end in more than a version (spam-1.0-post1.tar.gz).
        name = pin.key if pin is not None and request.kind == PYPI else request.name
        sources = find_sources(db, channel, request.kind, name)
        if not sources or (pin is None and request.kind == PYPI):
            return None
        if pin is None:
            return channel, sources, name
        upstream = next((one for one in sources if one.name == pin.upstream), None)
        if pin.kind != request.kind or request.sha256 not in (None, pin.sha256):
            return None
        if upstream is None:  # the one that listed it was removed or may not be asked any more
            return channel, sources, name
        project = channels.find_project(db, channel.id, normalize_name(name))
        if project is not None:
            check_not_quarantined(project)
        refusal = Refusal.find(pin, upstream.policy)
        if refusal is not None:
            raise refusal.to_error()
        if upstream.policy and not pin.subdir:
            cached = upstream_cache.cached_response(db, upstream, pin.key)
            if cached is None:
                return channel, sources, name
            check_policy(registry, channel, upstream, pin, cached)
    return FetchableFile(channel, upstream, pin)


def revalidate_fetched(registry: Registry, channel: Channel) -> datetime:
    """Revalidate the pages of the projects that were fetched, in a thread, if that is due.

    Returns when it is due again.

    conda's pages ask for no project, so what the upstream took back would not be noticed.
    """
    rounds, at = registry.proxied_channels.rounds, registry.clock()
    last = rounds.get(channel.id)
    if last is None or at - last >= metadata_cache.MAX_AGE:
        rounds[channel.id] = at
        args = (registry, channel)
        Thread(target=_revalidate_fetched, args=args, name="revalidate", daemon=True).start()
    return rounds[channel.id] + metadata_cache.MAX_AGE


def _revalidate_fetched(registry: Registry, channel: Channel) -> None:
    try:
        with registry.database.read() as db:
            keys = upstreams.list_fetched_keys(db, channel.id)
        for key in keys:
            metadata_cache.find_project(registry, channel, key)
    except (TwofoldError, OSError) as error:
        log.warning("the upstream of %s could not be revalidated: %s", channel.name, error)


def has_upstream(registry: Registry, channel: str, kind: str) -> bool:
    """Whether the channel has an upstream of this kind; answered from memory."""

    def read() -> list[tuple[str, str]]:
        with registry.database.read() as db:
            return [(name, one.kind) for name, one in upstreams.list_upstreams(db)]

    return (channel, kind) in registry.proxied_channels.get_all(read)


def fetch_and_publish(registry: Registry, file: FetchableFile, download: Download) -> None:
    """Download a file, verify its hash and publish it as the owner of the channel."""
    channel, pin = file.channel, file.pin
    with registry.database.read() as db:
        if files.find_file(db, channel.id, pin.subdir, pin.filename) is not None:
            return  # another process published it while this one waited for its lock
    try:
        check_listed_license(registry, channel, file.upstream, pin)
        fetch_file(metadata_cache.upstream_source(file.upstream), pin.url, download, MAX_FILE_SIZE)
        _check_whole(registry, file, download)
        _check_hash(registry, channel, pin, download.hasher.sha256.hexdigest())
        with registry.database.write() as db:
            upstreams.update_pin(db, channel.id, pin, wanted=True)
            note = audit.AuditEntry(
                registry.clock(), "upstream", "fetch", channel.name, pin.filename
            )
            audit.add_entry(db, replace(note, detail={"url": pin.url, "sha256": pin.sha256}))
            owner = Actor(accounts.find_user_by_id(db, channel.owner_id))
        upload = Upload(
            download.path,
            pin.filename,
            FormClaims(subdir=pin.subdir),
            is_fetched=True,
            hashes=download.hasher.finish(),
            on_checked=lambda artifact: _accept(file, artifact, download),
        )
        publish(registry, owner, channel.name, upload)
        _carry_over(registry, file)
    except Refused as error:
        if error.status >= 500:
            raise
        raise remember_refusal(registry, channel, file.upstream, pin, error) from error


def _accept(file: FetchableFile, artifact: Artifact, download: Download) -> None:
    """Let the last bytes of a file be sent, once its licence was checked. Raises Refused."""
    if not artifact.kind.is_conda:
        check_license(file.upstream, file.pin, artifact.metadata)
    download.mark_checked()


def _carry_over(registry: Registry, file: FetchableFile) -> None:
    """Yank what the upstream yanked before it was fetched."""
    if file.upstream.kind == PYPI:
        args = (registry, file.channel, file.upstream, file.pin.key)
        carry_over(registry, file.channel, file.pin.key, metadata_cache.cached_project(*args))


def _check_whole(registry: Registry, file: FetchableFile, download: Download) -> None:
    """Raise Unreachable for a file that ended early, where only the page has its size."""
    if download.total is not None or download.hasher.sha256.hexdigest() == file.pin.sha256:
        return
    with registry.database.read() as db:
        cached = upstream_cache.cached_response(db, file.upstream, file.pin.key)
    listed = deserialize(cached.body).files if cached is not None and not file.pin.subdir else ()
    size = next((one.entry.get("size") for one in listed if one.filename == file.pin.filename), 0)
    if download.size < (size or 0):
        raise Unreachable(f"the response from {file.pin.url} was cut off", "try again later")


def _check_hash(registry: Registry, channel: Channel, pin: Pin, actual: str) -> None:
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
