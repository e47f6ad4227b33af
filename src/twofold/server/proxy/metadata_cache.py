"""Cached upstream metadata: revalidated when stale, pinned by hash, served stale on errors.

Each file of an upstream is pinned to the hash first seen; a different hash for the same file is
left out and recorded in the audit log. Cache keys: a project's key, a subdir (`noarch`: all of
repodata.json), `noarch/` (the shard index), `noarch/NAME` (a shard; `digest` is the upstream's
hash, `validator` is our hash where files were left out), `FILE.metadata` (PEP 658).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from twofold.errors import Refused, Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.fetching.connections import IdleConnections
from twofold.fetching.credentials import deserialize
from twofold.fetching.server_limits import ServerLimits
from twofold.index.simple_parser import find_metadata_hash
from twofold.names import normalize_name
from twofold.server.admission.names import find_sources
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import remote_files, upstream_conda, upstream_simple
from twofold.server.proxy.remote_files import RemoteFile, RemoteProject
from twofold.server.proxy.takebacks import carry_over
from twofold.server.proxy.upstream_conda import RemoteShardList
from twofold.server.store import Connection, audit, upstream_cache, upstreams
from twofold.server.store.upstream_cache import CachedResponse
from twofold.server.store.upstreams import CONDA as CONDA
from twofold.server.store.upstreams import PYPI as PYPI
from twofold.server.store.upstreams import Pin, Upstream

#: How long a cached response is fresh.
MAX_AGE = timedelta(minutes=10)

#: How long to wait before retrying an unreachable upstream whose response is cached.
RETRY_AFTER = timedelta(minutes=1)

#: The largest METADATA that is passed on (bytes).
MAX_METADATA_SIZE = 16 << 20


def upstream_source(upstream: Upstream) -> Endpoint:
    """Return the endpoint of an upstream, with its credentials."""
    secret = deserialize(upstream.secret)
    made = Endpoint(upstream.url, upstream.internal, secret, files_at=upstream.files_at)
    return replace(made, idle=_find_idle(upstream), limits=_find_limits(made.origin))


@lru_cache(maxsize=256)
def _find_idle(upstream: Upstream) -> IdleConnections:
    """Return the connections of one upstream: what it may connect to, another may not."""
    del upstream
    return IdleConnections()


@lru_cache(maxsize=256)
def _find_limits(origin: tuple[str, str, int]) -> ServerLimits:
    """Return the limits of a server, whichever channels are in front of it."""
    del origin
    return ServerLimits()


def find_project(
    registry: Registry, channel: Channel, name: str
) -> tuple[RemoteProject, Upstream | None]:
    """Return a project of the first index that has it, and that index; None where none has.

    An index that is down and of which nothing is cached ends the search (Unreachable): one after it
    may have another project of that name.
    """
    key = normalize_name(name)
    with registry.database.read() as db:
        sources = find_sources(db, channel, PYPI, key)
    until: list[datetime] = []
    for position, upstream in enumerate(sources):
        found = cached_project(registry, channel, upstream, key)
        until = [*until, *([found.fresh_until] if found.fresh_until else [])]
        if found.files or found.unusable or found.status not in ("", "active"):
            for earlier in sources[:position]:
                _remember_absent(registry, earlier, key)
            return replace(found, fresh_until=min(until, default=None)), upstream
    return RemoteProject(), None


def _remember_absent(registry: Registry, upstream: Upstream, key: str) -> None:
    """Cache that an upstream lacks a project that a later one has: it may be down one day."""
    if _load(registry, upstream, key) is None:
        _save(registry, upstream, key, remote_files.serialize(RemoteProject()))


def max_age(upstream: Upstream) -> timedelta:
    """Return how long a cached response of an upstream is fresh."""
    return MAX_AGE if upstream.max_age is None else timedelta(seconds=upstream.max_age)


def cached_project_files(
    registry: Registry, channel: Channel, upstream: Upstream, key: str
) -> list[RemoteFile]:
    """Return the upstream's files under a key (a project or a subdir), as `cached_project`."""
    return list(cached_project(registry, channel, upstream, key).files)


def cached_project(
    registry: Registry, channel: Channel, upstream: Upstream, key: str
) -> RemoteProject:
    """Return what the upstream has under a key (a project or a subdir), cached or revalidated.

    Raises Unreachable when the upstream is down and nothing is cached. Files whose hash differs
    from the one first seen are left out. What the upstream takes back is carried over to the
    fetched files each time it is heard.
    """
    last = _load(registry, upstream, key)
    now = registry.clock()
    until = now + max_age(upstream)
    if last is not None and now - last.checked_at < max_age(upstream):
        until = last.checked_at + max_age(upstream)
        return replace(remote_files.deserialize(last.body), fresh_until=until)
    look = upstream_simple.fetch_files if upstream.kind == PYPI else upstream_conda.fetch_files
    try:
        response = look(upstream_source(upstream), key, last.validator if last else "")
    except (Unreachable, Refused):
        if last is None:
            raise
        _postpone(registry, upstream, key)
        return replace(remote_files.deserialize(last.body), fresh_until=now + RETRY_AFTER)
    if response is not None and response.unchanged and last is not None:
        _touch(registry, upstream, key)
        project = remote_files.deserialize(last.body)
    else:
        found = response.project if response else RemoteProject()
        subdir = key if upstream.kind == CONDA else ""
        good = record_first_seen(registry, channel, upstream, (subdir, key), found.files)
        lost = _list_names(upstream, key, found.files) - _list_names(upstream, key, good)
        project = replace(found, files=tuple(good), unusable=(*found.unusable, *sorted(lost)))
        # Without files it is not cached: anyone can request any name.
        if found.files or found.unusable or last is not None:
            validator = response.validator if response else ""
            _save(registry, upstream, key, remote_files.serialize(project), validator=validator)
    if upstream.kind == PYPI and response is not None:
        carry_over(registry, channel, key, project)
    return replace(project, fresh_until=until)


def _list_names(upstream: Upstream, key: str, found: Sequence[RemoteFile]) -> set[str]:
    """Return the names that files have: the project's, or those of the packages of a subdir."""
    if upstream.kind == PYPI:
        return {key} if found else set()
    return {file.entry["name"] for file in found}


def cached_shard_list(
    registry: Registry, upstream: Upstream, subdir: str
) -> tuple[RemoteShardList, str] | None:
    """Return the upstream's shard index and its digest; None when it has none.

    Raises Unreachable when the upstream is down and nothing is cached.
    """
    key = f"{subdir}/"
    last = _load(registry, upstream, key)
    if last is None or registry.clock() - last.checked_at >= max_age(upstream):
        last = _revalidate_shard_list(registry, upstream, subdir, last)
    address, _, body = last.body.partition(b"\n")
    return (upstream_conda.parse_list(body, address.decode()), last.digest) if body else None


def _revalidate_shard_list(
    registry: Registry, upstream: Upstream, subdir: str, cached: CachedResponse | None
) -> CachedResponse:
    """Fetch and cache the shard index, its URL on the first line; empty when there is none."""
    key = f"{subdir}/"
    try:
        found = upstream_conda.fetch_list(
            upstream_source(upstream), subdir, cached.validator if cached else ""
        )
        if found is not None and not found.unchanged:
            upstream_conda.parse_list(found.body, found.address)
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
    """Return the shard of a (subdir, name) as it may be served, and its files.

    The bytes are the upstream's unless files are left out. Raises Unreachable and Refused when it
    is neither cached nor fetchable; unless `exact`, an older cached shard is returned instead.
    """
    subdir, name = at
    key = f"{subdir}/{name}"
    last = _load(registry, upstream, key)
    wanted = shards_index.shards[name]
    if last is not None and last.digest == wanted:
        return last.body, upstream_conda.parse_shard(last.body, shards_index, name)[0]
    try:
        body = upstream_conda.fetch_shard(upstream_source(upstream), shards_index, name)
        found, whole = upstream_conda.parse_shard(body, shards_index, name)
    except (Unreachable, Refused):
        if last is None or exact:
            raise
        return last.body, upstream_conda.parse_shard(last.body, shards_index, name)[0]
    good = record_first_seen(registry, channel, upstream, (subdir, key), found)
    if not whole or len(good) < len(found):
        body = upstream_conda.serialize_shard({file.filename: file.entry for file in good})
    shown = hashlib.sha256(body).hexdigest()
    _save(registry, upstream, key, body, digest=wanted, validator=shown if shown != wanted else "")
    return body, good


def cached_wheel_metadata(
    registry: Registry, channel: Channel, upstream: Upstream, pinned: Pin
) -> bytes | None:
    """Return the METADATA of a wheel not fetched yet, verified by the hash in its page.

    None when the page declares no hash. Raises Unreachable, and Refused (502) on a mismatch.
    """
    key = f"{pinned.filename}.metadata"
    last = _load(registry, upstream, key)
    if last is not None:
        return last.body
    offered = cached_project_files(registry, channel, upstream, pinned.key)
    entry = next((one.entry for one in offered if one.filename == pinned.filename), {})
    sha256 = find_metadata_hash(entry.get("core-metadata"))
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
    """Pin new files under (subdir, key); leave out and audit files whose hash changed."""
    with registry.database.write() as db:
        return pin_files(registry, db, channel, upstream, place, files)


def pin_files(
    registry: Registry,
    db: Connection,
    channel: Channel,
    upstream: Upstream,
    place: tuple[str, str],
    files: Sequence[RemoteFile],
) -> list[RemoteFile]:
    """Pin files as `record_first_seen` does, in a transaction that is open."""
    subdir, key = place
    pinned = upstreams.find_pins(db, channel.id, subdir, [file.filename for file in files])
    good, new, changed = [], [], []
    for file in files:
        known = pinned.get(file.filename)
        if known is None:
            pin = Pin(upstream.kind, subdir, file.filename, key, file.sha256, file.url)
            new.append(replace(pin, upstream=upstream.name))
        elif known.sha256 != file.sha256:
            changed.append((known, file.sha256))
            continue
        elif (known.url, known.upstream) != (file.url, upstream.name):
            here = {"url": file.url, "upstream": upstream.name}
            upstreams.update_pin(db, channel.id, known, **here)
        good.append(file)
    upstreams.add_pins(db, channel.id, new, registry.clock())
    for known, now in changed:
        audit_hash_change(registry, db, channel, known, now)
    return good


def audit_hash_change(
    registry: Registry, db: Connection, channel: Channel, known: Pin, now: str
) -> None:
    """Record in the audit log that the upstream replaced the content of a file."""
    detail = {"first_seen": known.sha256, "now": now, "url": known.url}
    change = audit.AuditEntry(
        registry.clock(), "upstream", "upstream-changed", channel.name, known.filename, detail
    )
    audit.add_entry(db, change)


def _load(registry: Registry, upstream: Upstream, key: str) -> CachedResponse | None:
    with registry.database.read() as db:
        return upstream_cache.cached_response(db, upstream, key)


def _save(
    registry: Registry,
    upstream: Upstream,
    key: str,
    body: bytes,
    digest: str = "",
    validator: str = "",
) -> CachedResponse:
    digest = digest or hashlib.sha256(body).hexdigest()
    response = CachedResponse(body, digest, registry.clock(), validator)
    with registry.database.write() as db:
        upstream_cache.save_response(db, upstream, key, response)
    return response


def _touch(registry: Registry, upstream: Upstream, key: str) -> None:
    with registry.database.write() as db:
        upstream_cache.touch_response(db, upstream, key, registry.clock())


def _postpone(registry: Registry, upstream: Upstream, key: str) -> None:
    """Schedule a retry: the upstream is unreachable but its response is cached."""
    with registry.database.write() as db:
        at = registry.clock() - max_age(upstream) + RETRY_AFTER
        upstream_cache.touch_response(db, upstream, key, at)
