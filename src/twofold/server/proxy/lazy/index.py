"""The shard index of `/CHANNEL/lazy`, kept merged: a change costs what it changes, not the list.

A name that only an offer has is listed with the hash of the offer's shard, which is made when it
is requested. A name that the channel holds too gets a merged shard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from threading import Lock
from typing import Any

import msgpack

from twofold.index import repodata
from twofold.server.context import Registry
from twofold.server.model import Channel, Page, View
from twofold.server.pages.page_cache import ShardIndexBuilder
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import offered_wheels, pages, upstream_conda
from twofold.server.proxy.lazy.listed_offers import ListedOffers
from twofold.server.proxy.metadata_cache import PYPI
from twofold.server.store import channels, files, offers, upstreams
from twofold.server.store import pages as stored_pages

#: The value of the rule `prefer` by which the channel's offers win over its conda upstream.
OWN = "own"

#: Merged shards that were replaced and are kept for clients that read the index before.
MAX_PREVIOUS = 256

_LARGEST = 1 << 30


def get_index(registry: Registry, view: View, channel: Channel, subdir: str) -> LazyIndex:
    """Return the index of a subdir, current. Raises Refused, Unreachable."""
    indexes, place = registry.proxied_channels.lazy_indexes, (channel.id, subdir)
    known: LazyIndex = indexes.get(place) or indexes.setdefault(place, LazyIndex(registry, subdir))
    known.update(view, channel)
    return known


class LazyIndex:
    """The index of one subdir of a channel, shared by the threads of a process."""

    def __init__(self, registry: Registry, subdir: str) -> None:
        self._registry, self._subdir = registry, subdir
        self._lock = Lock()
        self._reset()

    def _reset(self) -> None:
        self._basis: tuple[object, ...] = ()
        self._prefer: object = None
        self._serial = -1  # of the channel
        self._offers = ListedOffers(self._subdir)
        self._own: dict[str, str] = {}  # name -> SHA-256 of the channel's shard, '' once removed
        self._base: dict[str, str] = {}  # the same of the channel's index, with its upstreams'
        self._base_etag = ""
        self._shown: dict[str, str] = {}
        self._keys: dict[str, str] = {}  # SHA-256 of a listed offer's shard -> its key
        self._merged: dict[str, bytes] = {}
        self._previous: dict[str, bytes] = {}
        self._builder = ShardIndexBuilder()
        self._page: Page | None = None

    def update(self, view: View, channel: Channel) -> None:
        """Take over what changed. Raises Refused, Unreachable."""
        with self._lock:
            try:
                self._update(view, channel)
            except BaseException:
                self._reset()
                raise

    def render(self) -> Page:
        """Return the index page. Its bytes depend on the records alone."""
        with self._lock:
            if self._page is None:
                body = self._builder.render(self._subdir, None)
                self._page = Page(body, make_etag(body), self._serial)
            return self._page

    def find_shard(self, sha256: str) -> bytes | None:
        """Return a merged shard by its hash."""
        with self._lock:
            return self._merged.get(sha256) or self._previous.get(sha256)

    def find_key(self, sha256: str) -> str | None:
        """Return the key of the listed offer whose shard has this hash."""
        with self._lock:
            return self._keys.get(sha256)

    def find_keys(self, name: str) -> Sequence[str]:
        """Return the keys of the offers with a conda name."""
        with self._lock:
            return self._offers.find_keys(name)

    def list_offered(self) -> dict[str, str]:
        """Return conda name -> key of the listed offers, of names that the channel has too."""
        with self._lock:
            every = ((name, self._offers.find(name)) for name in self._offers.list_names())
            return {name: found[0] for name, found in every if found is not None}

    def _update(self, view: View, channel: Channel) -> None:
        base = pages.find_repodata(self._registry, view, self._subdir, upstream_conda.SHARD_INDEX)
        prefer = channel.settings.get("prefer")
        with self._registry.database.read() as db:
            basis = (
                offers.get_serial(db, channel.id),
                channel.serial,
                base.etag if base else "",
                prefer,
                tuple(channels.list_prefixes(db, channel.id)),
                tuple(upstreams.find_upstreams(db, channel.id, PYPI)),
            )
            if basis == self._basis:
                return
            names = self._offers.update(db, channel)
            place = (channel.id, MAIN, self._subdir)
            own = dict(stored_pages.list_changed_shards(db, *place, self._serial))
        self._own |= own
        names |= own.keys() | self._take_base(base)
        if prefer != self._prefer:
            names |= self._offers.list_names()
        self._prefer = prefer
        self._builder.change([(name, self._show(view, channel, name)) for name in names])
        self._basis, self._serial, self._page = basis, channel.serial, None

    def _take_base(self, base: Page | None) -> set[str]:
        """Take over the channel's index; return the names that differ."""
        if (base.etag if base else "") == self._base_etag:
            return set()
        hashes: dict[str, str] = {}
        if base is not None:
            value = msgpack.unpackb(upstream_conda.decompress(base.body, _LARGEST))
            hashes = {name: bytes(sha256).hex() for name, sha256 in value["shards"].items()}
        differing = {name for name, _ in hashes.items() ^ self._base.items()}
        self._base, self._base_etag = hashes, base.etag if base else ""
        return differing

    def _show(self, view: View, channel: Channel, name: str) -> str:
        """Decide which shard a name has; return its SHA-256, '' for none."""
        before = self._shown.pop(name, "")
        self._keys.pop(before, None)
        if before in self._merged:
            self._previous[before] = self._merged.pop(before)
            for old in list(self._previous)[:-MAX_PREVIOUS]:
                del self._previous[old]
        sha256, found = self._base.get(name, ""), self._offers.find(name)
        if found is not None and (
            name in self._own or (name in self._base and self._prefer == OWN)
        ):
            body = self._merge(view, channel, found[0], name)
            sha256 = hashlib.sha256(body).hexdigest() if body else ""
            if body:
                self._merged[sha256] = body
        elif found is not None and name not in self._base:
            sha256 = found[1]
            self._keys[sha256] = found[0]
        if sha256:
            self._shown[name] = sha256
        return sha256

    def _merge(self, view: View, channel: Channel, key: str, name: str) -> bytes:
        """Return the shard of an offer and of the channel's own packages of its name, if any."""
        records = read_records(self._registry, channel, key).get(self._subdir, {})
        records = drop_stored(self._registry, channel, self._subdir, records)
        if self._own.get(name):
            args = (self._registry, view.actor, view.channel, self._subdir, self._base[name])
            records = {**records, **_unpack_shard(pages.get_shard(*args)[0])}
        return repodata.make_shard(records) if records else b""


def _unpack_shard(body: bytes) -> dict[str, dict[str, Any]]:
    value = msgpack.unpackb(upstream_conda.decompress(body, _LARGEST), strict_map_key=False)
    records: dict[str, dict[str, Any]] = {
        **value.get("packages", {}),
        **value.get("packages.conda", {}),
    }
    for record in records.values():
        for key in ("sha256", "md5"):
            if isinstance(record.get(key), bytes):
                record[key] = record[key].hex()
    return records


def read_wheels(
    registry: Registry, channel: Channel, key: str
) -> Iterable[offered_wheels.OfferedWheel]:
    """Return the wheels of an offered project."""
    with registry.database.read() as db:
        body = offers.read_wheels(db, channel.id, key)
    return offered_wheels.unpack(body).wheels if body else ()


def read_records(
    registry: Registry, channel: Channel, key: str
) -> dict[str, dict[str, dict[str, Any]]]:
    """Return subdir -> file name -> record of an offered project."""
    return offered_wheels.make_shards(read_wheels(registry, channel, key))


def drop_stored(
    registry: Registry, channel: Channel, subdir: str, records: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Leave out what the channel holds or has deleted: its own records decide about those."""
    with registry.database.read() as db:
        return {
            filename: record
            for filename, record in records.items()
            if files.find_file(db, channel.id, subdir, filename) is None
        }
