"""The shard index of a channel with a conda upstream: its own shards and the upstream's.

A name that only the upstream has is listed with the upstream's own hash, and its shard is fetched
on request. A name that both have gets a merged shard. The channel's own records decide about stored
files: the upstream's record of a file that was deleted here is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from twofold.errors import Refused, Unreachable
from twofold.server.admission.names import filter_withheld
from twofold.server.context import Registry, not_found
from twofold.server.model import Channel, Page
from twofold.server.pages import conda_records as rendering
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import metadata_cache, upstream_conda
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_conda import RemoteShardList
from twofold.server.store import (
    Connection,
    channels,
    files,
    pages,
    projects,
    upstream_cache,
)
from twofold.server.store.upstreams import Upstream

#: Shards fetched concurrently while an index is built.
_MAX_CONNECTIONS = 8


@dataclass(frozen=True)
class _Source:
    """The shards of one upstream; `digest` changes with them.

    `packed` are those packed here, by name, of an upstream that has none itself.
    """

    upstream: Upstream
    listed: RemoteShardList
    digest: str
    packed: Mapping[str, bytes] = field(default_factory=dict, repr=False)


#: Where a shard comes from: its name, the upstream's hash of it, and the upstream's name.
_Origin = tuple[str, str, str]


@dataclass(frozen=True)
class MergedShardIndex:
    """A shard index as served.

    `merged` are shards packed here by hash; `names` are the origins of the other shards by hash;
    `previous` are those of the index served before.
    """

    basis: tuple[object, ...]
    page: Page
    merged: Mapping[str, bytes] = field(repr=False)
    names: Mapping[str, _Origin] = field(repr=False)
    previous: Mapping[str, _Origin] = field(repr=False)


@dataclass(frozen=True)
class ProxiedSubdir:
    """A subdir of a channel that has conda upstreams, in their order."""

    registry: Registry
    channel: Channel
    upstreams: tuple[Upstream, ...]
    subdir: str

    def sources(self) -> list[_Source]:
        """Return the shards of the upstreams; none when no upstream has some.

        One that is down, and of which nothing is cached, ends the list: a later one may have other
        packages of its names.
        """
        found: list[_Source | Upstream] = []
        try:
            for upstream in self.upstreams:
                listed = metadata_cache.cached_shard_list(self.registry, upstream, self.subdir)
                found.append(_Source(upstream, *listed) if listed is not None else upstream)
        except Unreachable:
            found.append(_Source(upstream, RemoteShardList({}, upstream.url, upstream.url), "away"))
        if not any(isinstance(one, _Source) for one in found):
            return []
        return [one if isinstance(one, _Source) else self._pack(one) for one in found]

    def _pack(self, upstream: Upstream) -> _Source:
        """Return the shards of an upstream that has only repodata.json."""
        args = (self.registry, self.channel, upstream, self.subdir)
        by_name: dict[str, dict[str, Mapping[str, object]]] = {}
        project = metadata_cache.cached_project(*args)
        for name in project.unusable:
            by_name[name] = {}  # no later upstream may have it
        for file in project.files:
            record = {**file.entry, "sha256": file.sha256}
            by_name.setdefault(str(file.entry["name"]), {})[file.filename] = record
        packed = {name: upstream_conda.serialize_shard(one) for name, one in by_name.items()}
        hashes = {name: _sha256(body) for name, body in packed.items()}
        listed = RemoteShardList(hashes, upstream.url, f"{upstream.url}/{self.subdir}/")
        return _Source(upstream, listed, _sha256(repr(sorted(hashes.items())).encode()), packed)


def get_shard_index(subdir: ProxiedSubdir) -> Page:
    """Return the merged shard index. Raises Refused (404) if no upstream has one."""
    sources = subdir.sources()
    if not sources:
        raise not_found("shard index: the upstream has none")
    return _merged_index(subdir, sources).page


def get_shard(subdir: ProxiedSubdir, sha256: str) -> bytes | None:
    """Return an upstream or merged shard by hash; None when the index does not list it."""
    sources = subdir.sources()
    if not sources:
        return None
    listed = _merged_index(subdir, sources)
    if sha256 in listed.merged:
        return listed.merged[sha256]
    found = listed.names.get(sha256) or listed.previous.get(sha256)
    source = found and next((one for one in sources if one.upstream.name == found[2]), None)
    if not found or not source:
        return None
    name, theirs, _ = found
    one = replace(source.listed, shards={name: theirs})
    key = (subdir.subdir, name)
    body, _ = metadata_cache.cached_shard(
        subdir.registry, subdir.channel, source.upstream, one, key, exact=True
    )
    if _sha256(body) != sha256:
        raise Refused(
            "upstream-changed",
            f"The upstream's shard of '{name}' contains files that may not be served",
            "retry: the shard index now lists one without them; see 'twofold admin log'",
            502,
        )
    return body


def _merged_index(subdir: ProxiedSubdir, sources: Sequence[_Source]) -> MergedShardIndex:
    """Return the merged index, rebuilt when either side has changed."""
    registry, channel = subdir.registry, subdir.channel
    known: MergedShardIndex | None = registry.proxied_channels.shard_indexes.get(
        (channel.id, subdir.subdir)
    )
    with registry.database.read() as db:
        altered = [
            upstream_cache.changed_shards(db, one.upstream, f"{subdir.subdir}/") for one in sources
        ]
        options = from_settings(channel.settings)
        basis = (
            subdir.upstreams,
            channel.serial,
            tuple(one.digest for one in sources),
            tuple(channels.list_prefixes(db, channel.id)),
            options,
            tuple(tuple(sorted(one.items())) for one in altered),
        )
        if known is not None and known.basis == basis:
            return known
        taken: set[str] = set()  # by an upstream before
        visible: list[set[str]] = []
        for one in sources:
            names = set(one.listed.shards) - taken
            visible.append(names - filter_withheld(db, channel, one.upstream, names))
            taken |= visible[-1]
        here = projects.list_local_files(db, channel.id, subdir.subdir)
        own = dict(pages.list_changed_shards(db, channel.id, MAIN, subdir.subdir, 0))
    hashes = {name: sha256 for name, sha256 in own.items() if sha256}
    origins: dict[str, _Origin] = {}
    merged: dict[str, bytes] = {}
    for one, names, changed in zip(sources, visible, altered, strict=True):
        for name in names - set(here):
            sha256 = one.listed.shards[name]
            original, shown = changed.get(f"{subdir.subdir}/{name}", ("", ""))
            hashes[name] = shown if original == sha256 else sha256
            if name in one.packed:
                merged[name] = one.packed[name]
            else:
                origins[hashes[name]] = name, sha256, one.upstream.name
        merged |= dict(_merge_shards(subdir, one, sorted(names & set(here)), here))
    hashes |= {name: _sha256(body) for name, body in merged.items()}
    base_url = options.base_url_for(subdir.subdir)
    body = rendering.render_shard_index(subdir.subdir, hashes, registry.clock(), base_url)
    before = known.names if known is not None and known.basis[0] == subdir.upstreams else {}
    older = {sha256: found for sha256, found in before.items() if found[0] in taken}
    page = Page(body, make_etag(body), channel.serial)
    by_hash = {_sha256(body): body for body in merged.values()}
    listed = MergedShardIndex(basis, page, by_hash, origins, older)
    registry.proxied_channels.shard_indexes[channel.id, subdir.subdir] = listed
    return listed


def _merge_shards(
    subdir: ProxiedSubdir, source: _Source, names: list[str], here: Mapping[str, set[str]]
) -> Iterable[tuple[str, bytes]]:
    """Merge the shards of names that both sides have; on upstream errors keep our own."""

    def offered(name: str) -> list[RemoteFile]:
        if name in source.packed:
            return upstream_conda.parse_shard(source.packed[name], source.listed, name)[0]
        key = (subdir.subdir, name)
        try:
            found = metadata_cache.cached_shard(
                subdir.registry, subdir.channel, source.upstream, source.listed, key
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
