"""`/CHANNEL/v3`: the channel with `v3` records of pure wheels, for conda with conda-pypi.

Wheels of the channel, and wheels of offered projects that nobody fetched (`proxy.offer_list`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from twofold.index import repodata
from twofold.server.admission.names import filter_private
from twofold.server.context import Registry, not_found
from twofold.server.model import Channel, Page, View
from twofold.server.pages import conda_pages, conda_records
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import offer_list, offered_wheels, pages, upstream_conda
from twofold.server.registry import queries
from twofold.server.store import channels, files, offers


def get_repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return repodata.json or the shard index with v3 records of pure wheels. Raises Refused (404).

    They are for conda with conda-pypi.
    """
    if name == upstream_conda.SHARD_INDEX:
        found, public = _get_shards(registry, view, subdir)
        return found.page, public
    if name not in ("repodata.json", "repodata.json.zst"):
        raise not_found(f"page '{name[:100]}'")
    channel = queries.get_channel(registry, view.actor, view.channel)
    packages = pages.find_repodata(registry, view, subdir, "repodata.json")
    base, tag = packages.body if packages else b"", ""
    if view.label == MAIN:
        offer_list.start_round(registry, channel)
        with registry.database.read() as db:
            serial = offers.get_serial(db, channel.id)
        tag = f"-{serial}-{channel.settings.get('prefer') or ''}" if serial else ""

    def list_offered() -> dict[str, Any]:
        return _list_records(registry, channel, subdir, base) if tag else {}

    page = conda_pages.add_wheels(registry, view, (subdir, base), list_offered, tag)
    if name.endswith(".zst"):
        body = conda_records.compress(page.body)
        page = Page(body, make_etag(body), page.serial)
    return page, channel.public


#: Shards that were replaced and are kept for clients that read the index before.
MAX_PREVIOUS = 256


@dataclass(frozen=True)
class WheelShards:
    """The shard index of one subdir, and its shards with wheels, by hash.

    `basis` changes with the pages it was made of; `previous` are shards of the index before.
    """

    basis: tuple[str, str]
    page: Page
    bodies: Mapping[str, bytes] = field(repr=False)
    previous: Mapping[str, bytes] = field(repr=False)


def get_shard(registry: Registry, view: View, subdir: str, sha256: str) -> tuple[bytes, bool]:
    """Return a shard by its hash: one with wheels, or one of the channel's own."""
    found, public = _get_shards(registry, view, subdir)
    body = found.bodies.get(sha256) or found.previous.get(sha256)
    if body is not None:
        return body, public
    return pages.get_shard(registry, view.actor, view.channel, subdir, sha256)


def _get_shards(registry: Registry, view: View, subdir: str) -> tuple[WheelShards, bool]:
    """Return the shards of a subdir, current. Names without wheels have the channel's shards."""
    page, public = get_repodata(registry, view, subdir, "repodata.json")
    base = pages.find_repodata(registry, view, subdir, upstream_conda.SHARD_INDEX)
    channel = queries.get_channel(registry, view.actor, view.channel)
    place = (channel.id, view.label, subdir)
    known: WheelShards | None = registry.proxied_channels.wheel_shards.get(place)
    basis = (page.etag, base.etag if base else "")
    if known is not None and known.basis == basis:
        return known, public
    value = json.loads(page.body)
    hashes = dict(upstream_conda.parse_list(base.body, "").shards) if base else {}
    bodies = {}
    for name, body in _pack_shards(value, only_wheels=base is not None):
        hashes[name] = hashlib.sha256(body).hexdigest()
        bodies[hashes[name]] = body
    raw = {name: bytes.fromhex(sha256) for name, sha256 in hashes.items()}
    index = repodata.make_shard_index(subdir, raw, value["info"].get("base_url") or "./")
    before = known.bodies if known is not None else {}
    older = {sha256: body for sha256, body in before.items() if sha256 not in bodies}
    previous = dict(islice(older.items(), MAX_PREVIOUS))
    made = WheelShards(basis, Page(index, make_etag(index), page.serial), bodies, previous)
    registry.proxied_channels.wheel_shards[place] = made
    return made, public


def _pack_shards(value: Mapping[str, Any], *, only_wheels: bool) -> Iterator[tuple[str, bytes]]:
    """Pack the records of each name of repodata.json, or of those that have wheels."""
    newer = value.get("v3", {})
    wheels = repodata.group_by_name(newer.get("whl", {}))
    records = {**value["packages"], **value["packages.conda"]}
    for kind in ("conda", "tar.bz2"):
        records |= {f"{stem}.{kind}": record for stem, record in newer.get(kind, {}).items()}
    if only_wheels:
        records = {file: one for file, one in records.items() if one["name"] in wheels}
    packages = repodata.group_by_name(records)
    for name in sorted({*wheels, *packages}):
        yield name, repodata.make_shard(packages.get(name, {}), wheels.get(name))


def _list_records(
    registry: Registry, channel: Channel, subdir: str, packages: bytes
) -> dict[str, Any]:
    """Return the records of offered wheels that the channel neither holds nor has deleted.

    Names that a conda upstream has are its own, unless the channel's rule `prefer` says otherwise.
    """
    with registry.database.read() as db:
        keys = offers.list_keys(db, channel.id)
        keys = sorted(set(keys) - filter_private(db, channel, keys))
        own = channels.list_names(db, channel.id)
    records = [one for key in keys for one in _read_records(registry, channel, subdir, key)]
    groups = ("packages", "packages.conda")
    value = json.loads(packages) if packages else {group: {} for group in groups}
    taken = {one["name"] for group in groups for one in value[group].values()} - set(own)
    if channel.settings.get("prefer") == "own":
        taken = set()
    with registry.database.read() as db:
        private = filter_private(db, channel, {record["name"] for _, record in records})
        return {
            key: record
            for key, record in records
            if record["name"] not in private | taken
            and files.find_file(db, channel.id, "", record["fn"]) is None
        }


def _read_records(
    registry: Registry, channel: Channel, subdir: str, key: str
) -> list[tuple[str, dict[str, Any]]]:
    with registry.database.read() as db:
        body = offers.read_wheels(db, channel.id, key)
    wheels = offered_wheels.unpack(body).wheels if body else ()
    return [wheel.v3[subdir] for wheel in wheels if subdir in wheel.v3]
