"""The shards of a channel in front of a conda channel: ours and the upstream's in one list.

A name that is only upstream is listed with the upstream's own hash, and its shard is fetched when
somebody asks for it. A name that has packages here too has a shard made of both. What is here is
shown or not as our records say: an upstream's record of a file that was deleted here is left out.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from twofold.errors import Refused, Unreachable
from twofold.server.manner import manner_of
from twofold.server.model import Channel, Page
from twofold.server.pages import MAIN, etag_of
from twofold.server.registry import Registry, hearing, looking
from twofold.server.registry.privacy import prefixes, private_among
from twofold.server.rendering import conda as rendering
from twofold.server.store import Connection, files, pages, upstreams
from twofold.server.store.upstreams import Upstream
from twofold.server.upstreams import shards
from twofold.server.upstreams.offers import Offer
from twofold.server.upstreams.shards import ShardList

#: Shards that are fetched at once while a list is made.
_AT_ONCE = 8


@dataclass(frozen=True)
class Listed:
    """A list as it is given out. `merged` are shards made of both sides, by hash; `names` says of
    the other ones, by hash, their names and the upstream's hashes; `older` is the last list's.
    """

    basis: tuple[object, ...]
    page: Page
    merged: Mapping[str, bytes] = field(repr=False)
    names: Mapping[str, tuple[str, str]] = field(repr=False)
    older: Mapping[str, tuple[str, str]] = field(repr=False)


@dataclass(frozen=True)
class Place:
    """A subdir of a channel in front of a conda channel."""

    registry: Registry
    channel: Channel
    upstream: Upstream
    subdir: str

    def heard(self) -> tuple[ShardList, str] | None:
        """The upstream's list; an empty one while it is away and never said anything."""
        try:
            return hearing.shard_list(self.registry, self.upstream, self.subdir)
        except Unreachable:
            return ShardList({}, self.upstream.url, self.upstream.url), "away"


def shard_list(place: Place) -> Page:
    """The list of shards. Raises Refused (404) where the upstream has none."""
    heard = place.heard()
    if heard is None:
        raise looking.not_found("list of shards: the upstream has none either")
    return _listed(place, *heard).page


def shard(place: Place, sha256: str) -> bytes | None:
    """A shard of the upstream's, or one of both; None when the list knows none by that hash."""
    heard = place.heard()
    if heard is None:
        return None
    listed = _listed(place, *heard)
    if sha256 in listed.merged:
        return listed.merged[sha256]
    found = listed.names.get(sha256) or listed.older.get(sha256)
    if found is None:
        return None
    name, theirs = found
    one = replace(heard[0], shards={name: theirs})
    key = (place.subdir, name)
    body, _ = hearing.shard_of(place.registry, place.channel, place.upstream, one, key, exact=True)
    if _sha256(body) != sha256:
        raise Refused(
            "upstream-changed",
            f"The upstream's shard of '{name}' holds what may not be passed on",
            "ask again: the list of shards now names one without it; see 'twofold admin log'",
            502,
        )
    return body


def _listed(place: Place, theirs: ShardList, digest: str) -> Listed:
    """Made anew when either side has changed."""
    registry, channel, upstream = place.registry, place.channel, place.upstream
    known: Listed | None = registry.fronts.lists.get((channel.id, place.subdir))
    with registry.database.read() as db:
        altered = upstreams.altered(db, upstream, f"{place.subdir}/")
        told = tuple(prefixes(db, channel, upstream))
        manner = manner_of(channel.settings)
        basis = (channel.serial, digest, told, upstream, manner, tuple(sorted(altered.items())))
        if known is not None and known.basis == basis:
            return known
        hidden = private_among(db, channel, upstream, theirs.shards)
        here = upstreams.files_here(db, channel.id, place.subdir)
        own = dict(pages.shards_since(db, channel.id, MAIN, place.subdir, 0))
    hashes = {name: sha256 for name, sha256 in own.items() if sha256}
    names: dict[str, tuple[str, str]] = {}
    for name, sha256 in theirs.shards.items():
        if name not in hidden and name not in here:
            original, shown = altered.get(f"{place.subdir}/{name}", ("", ""))
            hashes[name] = shown if original == sha256 else sha256
            names[hashes[name]] = name, sha256
    both = sorted(name for name in here if name in theirs.shards and name not in hidden)
    merged = dict(_merged(place, theirs, both, here))
    hashes |= {name: _sha256(body) for name, body in merged.items()}
    base_url = manner.base_of(place.subdir)
    body = rendering.shard_index(place.subdir, hashes, registry.clock(), base_url)
    before = known.names if known is not None and known.basis[3] == upstream else {}
    older = {sha256: found for sha256, found in before.items() if found[0] not in hidden}
    page = Page(body, etag_of(body), channel.serial)
    by_hash = {_sha256(body): body for body in merged.values()}
    listed = Listed(basis, page, by_hash, names, older)
    registry.fronts.lists[channel.id, place.subdir] = listed
    return listed


def _merged(
    place: Place, theirs: ShardList, names: list[str], here: Mapping[str, set[str]]
) -> Iterable[tuple[str, bytes]]:
    """The shards of names that both sides have; where the upstream says nothing ours stands."""

    def offered(name: str) -> list[Offer]:
        key = (place.subdir, name)
        try:
            found = hearing.shard_of(place.registry, place.channel, place.upstream, theirs, key)
        except (Unreachable, Refused):
            return []
        return found[1]

    with ThreadPoolExecutor(_AT_ONCE) as several:
        for name, offers in zip(names, several.map(offered, names), strict=True):
            records = {o.filename: o.entry for o in offers if o.filename not in here[name]}
            if records:
                with place.registry.database.read() as db:
                    own = _records(db, place, name)
                yield name, shards.packed({**records, **own})


def _records(db: Connection, place: Place, name: str) -> dict[str, dict[str, object]]:
    found = files.conda_files(db, place.channel.id, place.subdir, name)
    return {
        file.filename: json.loads(file.record or "{}")
        for file in found
        if MAIN in file.labels and file.yanked is None
    }


def _sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
