"""The pages of the conda side: repodata.json, shards and their neighbours.

Shards are rendered on write. The whole-channel pages (shard index, repodata.json, run_exports,
channeldata) are made when they are first asked for after a change, and kept in the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import MAIN, etag_of
from twofold.server.registry import Registry, reachable
from twofold.server.registry.looking import not_found
from twofold.server.rendering import conda
from twofold.server.store import Connection, files, pages


def repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """A whole-channel page of one subdir by its file name, and whether the channel is public."""
    label = view.label
    makers: dict[str, Callable[[Connection, Channel], bytes]] = {
        "repodata.json": lambda db, c: _repodata(db, c, label, subdir),
        "repodata.json.zst": lambda db, c: conda.compressed(_repodata(db, c, label, subdir)),
        "repodata_shards.msgpack.zst": lambda db, c: _shard_index(registry, db, c, label, subdir),
        "run_exports.json": lambda db, c: _run_exports(db, c, label, subdir),
        "run_exports.json.zst": lambda db, c: conda.compressed(_run_exports(db, c, label, subdir)),
    }
    if name not in makers:
        raise not_found(f"page '{name[:100]}'")
    with registry.database.read() as db:
        found = reachable(db, view.actor, view.channel, Action.READ)
        if label != MAIN and label not in files.labels_of(db, found.id):
            raise not_found(f"label '{label[:100]}' in channel '{view.channel}'")
        serial = pages.last_change(db, found.id, label, subdir)
        if not serial and subdir != "noarch":
            raise not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
        key = f"conda/{view.label}/{subdir}/{name}"
        page = pages.page(db, found.id, key)
        if page is not None and page.serial == serial:
            return page, found.public
        body = makers[name](db, found)
    page = Page(body, etag_of(body), serial)
    with registry.database.write() as db:
        pages.set_page(db, found.id, key, page)
    return page, found.public


def _repodata(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    found = files.records(db, channel.id, subdir, label)
    return conda.repodata(subdir, ((name, record or "{}") for name, record, _ in found))


def _run_exports(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    found = files.records(db, channel.id, subdir, label)
    return conda.run_exports(subdir, ((name, exports or "{}") for name, _, exports in found))


def _shard_index(
    registry: Registry, db: Connection, channel: Channel, label: str, subdir: str
) -> bytes:
    found = pages.shards_since(db, channel.id, label, subdir, 0)
    shards = {name: sha256 for name, sha256 in found if sha256}
    return conda.shard_index(subdir, shards, registry.clock())


def shard(registry: Registry, actor: Actor, channel: str, sha256: str) -> tuple[bytes, bool]:
    """One shard by its hash: it never changes."""
    with registry.database.read() as db:
        found = reachable(db, actor, channel, Action.READ)
        body = pages.shard_body(db, found.id, sha256)
    if body is None:
        raise not_found("such shard")
    return body, found.public


def channeldata(registry: Registry, view: View) -> tuple[Page, bool]:
    """channeldata.json: the newest record of every name."""
    with registry.database.read() as db:
        found = reachable(db, view.actor, view.channel, Action.READ)
        key = f"conda/{view.label}/channeldata.json"
        page = pages.page(db, found.id, key)
        if page is not None and page.serial == found.serial:
            return page, found.public
        newest: dict[str, dict[str, object]] = {}
        subdirs: dict[str, set[str]] = {}
        for subdir in files.subdirs_of(db, found.id):
            for _, text, _ in files.records(db, found.id, subdir, view.label):
                record = json.loads(text or "{}")
                name = record["name"]
                subdirs.setdefault(name, set()).add(subdir)
                if record.get("timestamp", 0) >= int(str(newest.get(name, {}).get("timestamp", 0))):
                    newest[name] = record
    body = conda.channeldata((name, newest[name], sorted(subdirs[name])) for name in sorted(newest))
    page = Page(body, etag_of(body), found.serial)
    with registry.database.write() as db:
        pages.set_page(db, found.id, key, page)
    return page, found.public
