"""`/CHANNEL/lazy`: the channel with packages that are made when they are first downloaded.

Their records have neither size nor hash, which rattler, pixi and rattler-build accept. conda's own
client takes a missing size for 0 and installs nothing, so it is refused here: it has `/with/` and
`/v3`. A package's name is that which the conversion gives, and the conversion is deterministic.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgpack

from twofold.errors import Refused
from twofold.index import repodata
from twofold.server.admission.names import filter_private
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import conda_records
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import offer_list, offered_wheels, pages, upstream_conda
from twofold.server.proxy.fetch import FileRequest, fetch_missing
from twofold.server.registry import queries
from twofold.server.registry.deferred_conversion import wait_converted
from twofold.server.registry.queries import ReadableFile
from twofold.server.store import Connection, files, offers
from twofold.server.store import pages as stored_pages

#: The most offered projects that repodata.json lists: clients of larger channels read shards.
MAX_IN_REPODATA = 5000

#: Values of the rule `prefer`: whose packages are listed of a name that a conda upstream has.
CONDA_FORGE, OWN = "conda-forge", "own"

_LARGEST = 1 << 30

#: Seconds that a download waits for the conversion of a large wheel; clients give up after 30.
WAIT_SECONDS = 25.0


#: The key of a project, its conda name, the SHA-256 of its shard.
OfferedShard = tuple[str, str, str]


@dataclass(frozen=True)
class LazyIndex:
    """An index as served: `merged` are shards packed here, `offered` the keys of the others.

    `every` is what was listed of offers at the state `basis[0]` of their table.
    """

    basis: tuple[object, ...]
    every: Sequence[OfferedShard] = field(repr=False)
    page: Page
    merged: Mapping[str, bytes] = field(repr=False)
    offered: Mapping[str, str] = field(repr=False)


def get_page(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return an index page of one subdir. Raises Refused (404) where the rule is off."""
    channel = _require_lazy(registry, view.actor, view.channel)
    offer_list.start_round(registry, channel)
    if name == upstream_conda.SHARD_INDEX:
        return _get_index(registry, view, channel, subdir).page, channel.public
    if name not in ("repodata.json", "repodata.json.zst"):
        raise not_found(f"page '{name[:100]}'")
    body = _merge_repodata(registry, view, channel, subdir)
    body = conda_records.compress(body) if name.endswith(".zst") else body
    return Page(body, make_etag(body), channel.serial), channel.public


def get_shard(registry: Registry, view: View, subdir: str, sha256: str) -> tuple[bytes, bool]:
    """Return a shard by its hash."""
    channel = _require_lazy(registry, view.actor, view.channel)
    index = _get_index(registry, view, channel, subdir)
    if sha256 in index.merged:
        return index.merged[sha256], channel.public
    if sha256 in index.offered:
        records = _read_records(registry, channel, index.offered[sha256]).get(subdir, {})
        body = repodata.make_shard(records)
        if hashlib.sha256(body).hexdigest() == sha256:
            return body, channel.public
    return pages.get_shard(registry, view.actor, channel.name, subdir, sha256)


def get_package(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, filename: str
) -> ReadableFile:
    """Return a package; one that was never made is made now, of its wheel.

    Raises Refused (404, or the reason why it cannot be made).
    """
    channel = _require_lazy(registry, actor, channel_name)
    with registry.database.read() as db:
        is_stored = files.find_file(db, channel.id, subdir, filename) is not None
    wheel = None if is_stored else _find_wheel(registry, channel, subdir, filename)
    if wheel is None:
        return pages.get_package(registry, actor, channel_name, subdir, filename)
    fetch_missing(registry, actor, FileRequest(channel_name, "", wheel.filename, wheel.sha256))
    if not wait_converted(registry, channel, wheel.filename, WAIT_SECONDS):
        raise Refused(
            "offer-running",
            f"{filename}: its wheel is still being converted",
            "try again in some seconds: the work goes on",
            503,
        )
    try:
        return queries.get_file_by_name(registry, actor, channel_name, subdir, filename)
    except Refused as error:
        with registry.database.read() as db:
            stored = files.find_file(db, channel.id, "", wheel.filename)
        if error.status != 404 or stored is None or not stored.remark:
            raise
        hint = "choose another release"
        raise Refused("not-converted", stored.remark[:500], hint, 404) from error


def list_missing(registry: Registry, actor: Actor, channel_name: str) -> dict[str, str]:
    """Return key -> why a project of the channel's list cannot be offered."""
    channel = _require_lazy(registry, actor, channel_name)
    with registry.database.read() as db:
        return offers.list_missing(db, channel.id)


def _require_lazy(registry: Registry, actor: Actor, name: str) -> Channel:
    with registry.database.read() as db:
        channel = require_channel(db, actor, name, Action.READ)
    if not channel.settings.get("lazy"):
        raise not_found(f"address 'lazy' of channel '{name[:100]}'")
    return channel


def _find_wheel(
    registry: Registry, channel: Channel, subdir: str, filename: str
) -> offered_wheels.OfferedWheel | None:
    """Return the offered wheel that becomes this package."""
    name = filename.rsplit("-", 2)[0]
    with registry.database.read() as db:
        every = offers.list_shards(db, channel.id, subdir)
    keys = [key for key, conda_name, _ in every if conda_name == name]
    for key in keys:
        for wheel in _read_wheels(registry, channel, key):
            if any((one[0], one[1]) == (subdir, filename) for one in wheel.packages):
                return wheel
    return None


def _read_wheels(
    registry: Registry, channel: Channel, key: str
) -> tuple[offered_wheels.OfferedWheel, ...]:
    with registry.database.read() as db:
        body = offers.read_wheels(db, channel.id, key)
    return offered_wheels.unpack(body).wheels if body else ()


def _read_records(
    registry: Registry, channel: Channel, key: str
) -> dict[str, dict[str, dict[str, Any]]]:
    return offered_wheels.make_shards(_read_wheels(registry, channel, key))


def _get_index(registry: Registry, view: View, channel: Channel, subdir: str) -> LazyIndex:
    """Return the index, rebuilt when the channel, its upstream or the offers have changed."""
    base, base_etag = _read_base(registry, view, subdir)
    place = (channel.id, subdir)
    known: LazyIndex | None = registry.proxied_channels.lazy_indexes.get(place)
    with registry.database.read() as db:
        state = offers.count_offers(db, channel.id)
        basis = (state, base_etag, channel.settings.get("prefer"))
        if known is not None and known.basis == basis:
            return known
        is_same = known is not None and known.basis[0] == state
        every = known.every if known and is_same else offers.list_shards(db, channel.id, subdir)
        listed = _list_offered(db, channel, every)
        own = dict(stored_pages.list_changed_shards(db, channel.id, MAIN, subdir, 0))
    hashes, offered, merged = dict(base), dict[str, str](), dict[str, bytes]()
    for name, (key, sha256) in listed.items():
        if name not in base:
            hashes[name], offered[sha256] = sha256, key
        elif own.get(name) or channel.settings.get("prefer") == OWN:
            records = _read_records(registry, channel, key).get(subdir, {})
            here = _read_shard(registry, view, subdir, base[name]) if own.get(name) else {}
            body = repodata.make_shard({**_drop_stored(registry, channel, subdir, records), **here})
            hashes[name] = hashlib.sha256(body).hexdigest()
            merged[hashes[name]] = body
    body = conda_records.render_shard_index(subdir, hashes, registry.clock(), "")
    index = LazyIndex(basis, every, Page(body, make_etag(body), channel.serial), merged, offered)
    registry.proxied_channels.lazy_indexes[place] = index
    return index


def _list_offered(
    db: Connection, channel: Channel, every: Sequence[OfferedShard]
) -> dict[str, tuple[str, str]]:
    """Return conda name -> (key, SHA-256 of its shard) of what is offered and not private."""
    private = filter_private(db, channel, {one for key, name, _ in every for one in (key, name)})
    return {
        name: (key, sha256)
        for key, name, sha256 in reversed(every)
        if key not in private and name not in private
    }


def _read_base(registry: Registry, view: View, subdir: str) -> tuple[dict[str, str], str]:
    """Return name -> SHA-256 of the channel's own shard index, and the tag of the index."""
    try:
        page, _ = pages.get_repodata(registry, view, subdir, upstream_conda.SHARD_INDEX)
    except Refused as error:
        if error.status != 404:
            raise
        return {}, ""  # no package of the subdir is here yet
    value = msgpack.unpackb(upstream_conda.decompress(page.body, _LARGEST))
    return {name: bytes(sha256).hex() for name, sha256 in value["shards"].items()}, page.etag


def _read_shard(
    registry: Registry, view: View, subdir: str, sha256: str
) -> dict[str, dict[str, Any]]:
    body, _ = pages.get_shard(registry, view.actor, view.channel, subdir, sha256)
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


def _drop_stored(
    registry: Registry, channel: Channel, subdir: str, records: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Leave out what the channel holds or has deleted: its own records decide about those."""
    with registry.database.read() as db:
        return {
            filename: record
            for filename, record in records.items()
            if files.find_file(db, channel.id, subdir, filename) is None
        }


def _merge_repodata(registry: Registry, view: View, channel: Channel, subdir: str) -> bytes:
    with registry.database.read() as db:
        too_many = offers.count_offers(db, channel.id)[2] > MAX_IN_REPODATA
    if too_many:
        raise Refused(
            "upstream-too-large",
            f"More than {MAX_IN_REPODATA} projects are offered here: only shards list them",
            "use a client that reads shards",
            404,
        )
    try:
        page, _ = pages.get_repodata(registry, view, subdir, "repodata.json")
        value = json.loads(page.body)
    except Refused as error:
        if error.status != 404:
            raise
        value = json.loads(conda_records.render_repodata(subdir, [], ""))
    with registry.database.read() as db:
        own = dict(stored_pages.list_changed_shards(db, channel.id, MAIN, subdir, 0))
        listed = _list_offered(db, channel, offers.list_shards(db, channel.id, subdir))
    groups = ("packages", "packages.conda")
    taken = {one["name"] for group in groups for one in value[group].values()}
    for name, (key, _) in listed.items():
        if name not in taken or own.get(name) or channel.settings.get("prefer") == OWN:
            records = _read_records(registry, channel, key).get(subdir, {})
            value["packages.conda"] |= _drop_stored(registry, channel, subdir, records)
    value["info"].pop("base_url", None)
    return repodata.serialize(value)
