"""What upstreams say: asked when their last word is old, pinned, kept, and believed when away.

What an upstream offers is pinned to the hash first seen; another hash for the same file is left out
and noted in the audit log. What it once said is answered when it is away. Kept under keys of the
table of pages: a project's key, a subdir (`noarch`: all of repodata.json), `noarch/` (the list of
shards), `noarch/NAME` (a shard; its digest is the upstream's hash, its validator ours where we left
something out), `FILE.metadata` (PEP 658).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.fetching.credentials import deserialize
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import remote_files, upstream_repodata, upstream_shards, upstream_simple
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_shards import RemoteShardList
from twofold.server.store import Connection, audit, upstreams
from twofold.server.store.upstreams import CONDA as CONDA
from twofold.server.store.upstreams import PYPI as PYPI
from twofold.server.store.upstreams import CachedResponse, Pin, Upstream

#: How long an upstream's word is good before it is asked again.
MAX_AGE = timedelta(minutes=10)

#: How long an upstream that was away is left alone where its last word is known.
RETRY_AFTER = timedelta(minutes=1)

#: The largest METADATA that is passed on (bytes).
MAX_METADATA_SIZE = 16 << 20


def upstream_source(upstream: Upstream) -> Endpoint:
    return Endpoint(upstream.url, upstream.internal, deserialize(upstream.secret))


def cached_project_files(
    registry: Registry, channel: Channel, upstream: Upstream, key: str
) -> list[RemoteFile]:
    """What the upstream offers under a key (a project, or a subdir): fresh, or what it last said.

    Raises Unreachable when it is away and never said anything. Files under another hash than the
    first seen are left out.
    """
    last = _load(registry, upstream, key)
    if last is not None and registry.clock() - last.checked_at < MAX_AGE:
        return remote_files.deserialize(last.body)
    look = upstream_simple.fetch_files if upstream.kind == PYPI else upstream_repodata.fetch_files
    try:
        told = look(upstream_source(upstream), key, last.validator if last else "")
    except (Unreachable, Refused):
        if last is None:
            raise
        _postpone(registry, upstream, key)
        return remote_files.deserialize(last.body)
    if told is not None and told.unchanged and last is not None:
        _touch(registry, upstream, key)
        return remote_files.deserialize(last.body)
    if not (told and told.files) and last is None:
        return []  # nothing to remember: anybody may ask for any name
    subdir = key if upstream.kind == CONDA else ""
    good = record_first_seen(registry, channel, upstream, (subdir, key), told.files if told else ())
    _save(
        registry,
        upstream,
        key,
        remote_files.serialize(good),
        validator=told.validator if told else "",
    )
    return good


def cached_shard_list(
    registry: Registry, upstream: Upstream, subdir: str
) -> tuple[RemoteShardList, str] | None:
    """The upstream's list of shards and its digest; None when it has none.

    Raises Unreachable when it is away and never said anything.
    """
    key = f"{subdir}/"
    last = _load(registry, upstream, key)
    if last is None or registry.clock() - last.checked_at >= MAX_AGE:
        last = _revalidate_shard_list(registry, upstream, subdir, last)
    address, _, body = last.body.partition(b"\n")
    return (upstream_shards.parse_list(body, address.decode()), last.digest) if body else None


def _revalidate_shard_list(
    registry: Registry, upstream: Upstream, subdir: str, cached: CachedResponse | None
) -> CachedResponse:
    """Kept with its address before it; without a body when the upstream has no shards."""
    key = f"{subdir}/"
    try:
        found = upstream_shards.fetch_list(
            upstream_source(upstream), subdir, cached.validator if cached else ""
        )
        if found is not None and not found.unchanged:
            upstream_shards.parse_list(found.body, found.address)
    except (Unreachable, Refused):
        if cached is None:
            raise
        _postpone(registry, upstream, key)
        return cached
    if found is not None and found.unchanged and cached is not None:
        _touch(registry, upstream, key)
        return cached
    body = f"{found.address}\n".encode() + found.body if found else b""
    return _save(registry, upstream, key, body, validator=found.validator if found else "")


def cached_shard(
    registry: Registry,
    channel: Channel,
    upstream: Upstream,
    shards_index: RemoteShardList,
    at: tuple[str, str],
    exact: bool = False,
) -> tuple[bytes, list[RemoteFile]]:
    """The shard of a (subdir, name) as it may be passed on, and what it offers.

    Byte for byte the upstream's unless something in it is left out. Raises Unreachable and Refused
    when it is not at hand and cannot be had; then, unless `exact`, the last one heard will do.
    """
    subdir, name = at
    key = f"{subdir}/{name}"
    last = _load(registry, upstream, key)
    wanted = shards_index.shards[name]
    if last is not None and last.digest == wanted:
        return last.body, upstream_shards.parse_shard(last.body, shards_index, name)[0]
    try:
        body = upstream_shards.fetch_shard(upstream_source(upstream), shards_index, name)
        found, whole = upstream_shards.parse_shard(body, shards_index, name)
    except (Unreachable, Refused):
        if last is None or exact:
            raise
        return last.body, upstream_shards.parse_shard(last.body, shards_index, name)[0]
    good = record_first_seen(registry, channel, upstream, (subdir, key), found)
    if not whole or len(good) < len(found):
        body = upstream_shards.serialize_shard({offer.filename: offer.entry for offer in good})
    shown = hashlib.sha256(body).hexdigest()
    _save(registry, upstream, key, body, digest=wanted, validator=shown if shown != wanted else "")
    return body, good


def cached_wheel_metadata(
    registry: Registry, channel: Channel, upstream: Upstream, pinned: Pin
) -> bytes | None:
    """METADATA of a wheel that was not fetched yet, checked by the hash that its page told.

    None when the page tells none. Raises Unreachable, and Refused (502) when it is another one.
    """
    key = f"{pinned.filename}.metadata"
    last = _load(registry, upstream, key)
    if last is not None:
        return last.body
    offered = cached_project_files(registry, channel, upstream, pinned.key)
    entry = next((one.entry for one in offered if one.filename == pinned.filename), {})
    sha256 = upstream_simple.find_metadata_hash(entry)
    if not sha256:
        return None
    url = f"{pinned.url}.metadata"
    found = fetch_page(upstream_source(upstream), url, "*/*", "", MAX_METADATA_SIZE)
    if found is None:
        return None
    if hashlib.sha256(found.body).hexdigest() != sha256:
        raise Refused("upstream-changed", f"The upstream's {url} has another hash", status=502)
    return _save(registry, upstream, key, found.body).body


def record_first_seen(
    registry: Registry,
    channel: Channel,
    upstream: Upstream,
    place: tuple[str, str],
    files: Sequence[RemoteFile],
) -> list[RemoteFile]:
    """Pin what is new under (subdir, key); leave out and report what has changed."""
    subdir, key = place
    with registry.database.write() as db:
        pinned = upstreams.find_pins(db, channel.id, subdir, [offer.filename for offer in files])
        good, new, changed = [], [], []
        for offer in files:
            known = pinned.get(offer.filename)
            if known is None:
                new.append(Pin(upstream.kind, subdir, offer.filename, key, offer.sha256, offer.url))
            elif known.sha256 != offer.sha256:
                changed.append((known, offer.sha256))
                continue
            elif known.url != offer.url:
                upstreams.update_pin(db, channel.id, known, url=offer.url)
            good.append(offer)
        upstreams.add_pins(db, channel.id, new, registry.clock())
        for known, now in changed:
            audit_hash_change(registry, db, channel, known, now)
    return good


def audit_hash_change(
    registry: Registry, db: Connection, channel: Channel, known: Pin, now: str
) -> None:
    """Say in the audit log that an upstream has other bytes under a name than it had."""
    detail = {"first_seen": known.sha256, "now": now, "url": known.url}
    change = audit.AuditEntry(
        registry.clock(), "upstream", "upstream-changed", channel.name, known.filename, detail
    )
    audit.add_entry(db, change)


def _load(registry: Registry, upstream: Upstream, key: str) -> CachedResponse | None:
    with registry.database.read() as db:
        return upstreams.cached_response(db, upstream, key)


def _save(
    registry: Registry,
    upstream: Upstream,
    key: str,
    body: bytes,
    digest: str = "",
    validator: str = "",
) -> CachedResponse:
    digest = digest or hashlib.sha256(body).hexdigest()
    heard = CachedResponse(body, digest, registry.clock(), validator)
    with registry.database.write() as db:
        upstreams.save_response(db, upstream, key, heard)
    return heard


def _touch(registry: Registry, upstream: Upstream, key: str) -> None:
    with registry.database.write() as db:
        upstreams.touch_response(db, upstream, key, registry.clock())


def _postpone(registry: Registry, upstream: Upstream, key: str) -> None:
    """It is away, and its last word is known: ask again soon, but not at once."""
    with registry.database.write() as db:
        upstreams.touch_response(db, upstream, key, registry.clock() - MAX_AGE + RETRY_AFTER)
