"""The shard index of a channel with a conda upstream: its own shards and the upstream's.

A name that only the upstream has is listed with the upstream's own hash, and its shard is fetched
on request. A name that both have gets a merged shard. The channel's own records decide about stored
files: the upstream's record of a file that was deleted here is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from twofold.errors import Refused, Unreachable
from twofold.server.admission.names import filter_private, private_prefixes
from twofold.server.context import Registry, not_found
from twofold.server.model import Channel, Page
from twofold.server.pages import conda_records as rendering
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import metadata_cache, upstream_conda
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_conda import RemoteShardList
from twofold.server.store import Connection, files, pages, projects, upstreams
from twofold.server.store.upstreams import Upstream

#: Shards fetched concurrently while an index is built.
_MAX_CONNECTIONS = 8


@dataclass(frozen=True)
class MergedShardIndex:
    """A shard index as served.

    `merged` are merged shards by hash; `names` are the (name, upstream hash) pairs of the other
    shards by hash; `previous` are those of the index served before.
    """

    basis: tuple[object, ...]
    page: Page
    merged: Mapping[str, bytes] = field(repr=False)
    names: Mapping[str, tuple[str, str]] = field(repr=False)
    previous: Mapping[str, tuple[str, str]] = field(repr=False)


@dataclass(frozen=True)
class ProxiedSubdir:
    """A subdir of a channel that has a conda upstream."""

    registry: Registry
    channel: Channel
    upstream: Upstream
    subdir: str

    def upstream_shards(self) -> tuple[RemoteShardList, str] | None:
        """Return the upstream's index; an empty one while it is down and nothing is cached."""
        try:
            return metadata_cache.cached_shard_list(self.registry, self.upstream, self.subdir)
        except Unreachable:
            return RemoteShardList({}, self.upstream.url, self.upstream.url), "away"


def get_shard_index(subdir: ProxiedSubdir) -> Page:
    """Return the merged shard index. Raises Refused (404) if the upstream has none."""
    upstream_index = subdir.upstream_shards()
    if upstream_index is None:
        raise not_found("shard index: the upstream has none")
    return _merged_index(subdir, *upstream_index).page


def get_shard(subdir: ProxiedSubdir, sha256: str) -> bytes | None:
    """Return an upstream or merged shard by hash; None when the index does not list it."""
    upstream_index = subdir.upstream_shards()
    if upstream_index is None:
        return None
    listed = _merged_index(subdir, *upstream_index)
    if sha256 in listed.merged:
        return listed.merged[sha256]
    found = listed.names.get(sha256) or listed.previous.get(sha256)
    if found is None:
        return None
    name, theirs = found
    one = replace(upstream_index[0], shards={name: theirs})
    key = (subdir.subdir, name)
    body, _ = metadata_cache.cached_shard(
        subdir.registry, subdir.channel, subdir.upstream, one, key, exact=True
    )
    if _sha256(body) != sha256:
        raise Refused(
            "upstream-changed",
            f"The upstream's shard of '{name}' contains files that may not be served",
            "retry: the shard index now lists one without them; see 'twofold admin log'",
            502,
        )
    return body


def _merged_index(subdir: ProxiedSubdir, theirs: RemoteShardList, digest: str) -> MergedShardIndex:
    """Return the merged index, rebuilt when either side has changed."""
    registry, channel, upstream = subdir.registry, subdir.channel, subdir.upstream
    known: MergedShardIndex | None = registry.proxied_channels.shard_indexes.get(
        (channel.id, subdir.subdir)
    )
    with registry.database.read() as db:
        altered = upstreams.changed_shards(db, upstream, f"{subdir.subdir}/")
        prefixes = tuple(private_prefixes(db, channel, upstream))
        options = from_settings(channel.settings)
        basis = (
            channel.serial,
            digest,
            prefixes,
            upstream,
            options,
            tuple(sorted(altered.items())),
        )
        if known is not None and known.basis == basis:
            return known
        hidden = filter_private(db, channel, upstream, theirs.shards)
        here = projects.list_local_files(db, channel.id, subdir.subdir)
        own = dict(pages.list_changed_shards(db, channel.id, MAIN, subdir.subdir, 0))
    hashes = {name: sha256 for name, sha256 in own.items() if sha256}
    names: dict[str, tuple[str, str]] = {}
    for name, sha256 in theirs.shards.items():
        if name not in hidden and name not in here:
            original, shown = altered.get(f"{subdir.subdir}/{name}", ("", ""))
            hashes[name] = shown if original == sha256 else sha256
            names[hashes[name]] = name, sha256
    both = sorted(name for name in here if name in theirs.shards and name not in hidden)
    merged = dict(_merge_shards(subdir, theirs, both, here))
    hashes |= {name: _sha256(body) for name, body in merged.items()}
    base_url = options.base_url_for(subdir.subdir)
    body = rendering.render_shard_index(subdir.subdir, hashes, registry.clock(), base_url)
    before = known.names if known is not None and known.basis[3] == upstream else {}
    older = {sha256: found for sha256, found in before.items() if found[0] not in hidden}
    page = Page(body, make_etag(body), channel.serial)
    by_hash = {_sha256(body): body for body in merged.values()}
    listed = MergedShardIndex(basis, page, by_hash, names, older)
    registry.proxied_channels.shard_indexes[channel.id, subdir.subdir] = listed
    return listed


def _merge_shards(
    subdir: ProxiedSubdir, theirs: RemoteShardList, names: list[str], here: Mapping[str, set[str]]
) -> Iterable[tuple[str, bytes]]:
    """Merge the shards of names that both sides have; on upstream errors keep our own."""

    def offered(name: str) -> list[RemoteFile]:
        key = (subdir.subdir, name)
        try:
            found = metadata_cache.cached_shard(
                subdir.registry, subdir.channel, subdir.upstream, theirs, key
            )
        except (Unreachable, Refused):
            return []
        return found[1]

    with ThreadPoolExecutor(_MAX_CONNECTIONS) as several:
        for name, remote in zip(names, several.map(offered, names), strict=True):
            records = {o.filename: o.entry for o in remote if o.filename not in here[name]}
            if records:
                with subdir.registry.database.read() as db:
                    own = _own_records(db, subdir, name)
                yield name, upstream_conda.serialize_shard({**records, **own})


def _own_records(db: Connection, subdir: ProxiedSubdir, name: str) -> dict[str, dict[str, object]]:
    found = files.list_conda_files(db, subdir.channel.id, subdir.subdir, name)
    return {
        file.filename: json.loads(file.record or "{}")
        for file in found
        if MAIN in file.labels and file.yanked is None
    }


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
