"""The pages of the conda side: repodata.json, shards and their neighbours.

Shards are rendered on write. The whole-channel pages (repodata.json, run_exports, channeldata) are
made when they are first asked for after a change, and kept in the database; large ones follow in
the background. The shard index is kept in the process and brought up to date.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twofold.server.manner import manner_of
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import MAIN, etag_of
from twofold.server.registry import Registry, reachable
from twofold.server.registry.following_pages import LARGE, Wanted
from twofold.server.registry.looking import keep, not_found
from twofold.server.rendering import conda
from twofold.server.store import Connection, Database, files, pages
from twofold.server.wheel_records import NOARCH

Maker = Callable[[Connection, Channel, str, str], bytes]


def repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """A whole-channel page of one subdir by its file name, and whether the channel is public."""
    if name not in _MAKERS and name != _SHARDS:
        raise not_found(f"page '{name[:100]}'")
    label = view.label
    with registry.database.read() as db:
        found = reachable(db, view.actor, view.channel, Action.READ)
        if label != MAIN and label not in files.labels_of(db, found.id):
            raise not_found(f"label '{label[:100]}' in channel '{view.channel}'")
        serial = pages.last_change(db, found.id, label, subdir)
        if not serial and subdir != "noarch":
            raise not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
        if name == _SHARDS:
            place = (found.id, label, subdir)
            base_url = manner_of(found.settings).base_of(subdir)
            return registry.whole.shard_index(db, place, serial, base_url), found.public
        wanted = Wanted(found, label, subdir, name)
        kept = pages.page(db, found.id, wanted.key)
    if kept is not None and kept.serial == serial:
        return kept, found.public
    if kept is not None and len(kept.body) >= LARGE:
        registry.whole.followers.wake(registry.database, wanted)
        return kept, found.public
    page = _made(registry.database, wanted)
    keep(registry.database, found.id, wanted.key, page)
    return page, found.public


def render(database: Database, wanted: Wanted) -> None:
    """Render a page as the records are now, and keep it."""
    page = _made(database, wanted)
    with database.write() as db:
        pages.set_page(db, wanted.channel.id, wanted.key, page)


def _made(database: Database, wanted: Wanted) -> Page:
    channel, label, subdir = wanted.channel, wanted.label, wanted.subdir
    with database.read() as db:
        serial = pages.last_change(db, channel.id, label, subdir)
        body = _MAKERS[wanted.name](db, channel, label, subdir)
    return Page(body, etag_of(body), serial)


def _repodata(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    manner = manner_of(channel.settings)
    found = files.records(db, channel.id, subdir, label)
    records = ((name, record or "{}") for name, record, _ in found)
    body = conda.repodata(subdir, records, manner.base_of(subdir))
    if not manner.v3 or subdir != NOARCH:
        return body
    wheels: dict[str, Any] = {}
    for shard in pages.shards_of(db, channel.id, label, subdir):
        wheels.update(conda.wheels_in(shard))
    return conda.with_wheels(body, wheels)


def _run_exports(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    found = files.records(db, channel.id, subdir, label)
    return conda.run_exports(subdir, ((name, exports or "{}") for name, _, exports in found))


_SHARDS = "repodata_shards.msgpack.zst"

_MAKERS: dict[str, Maker] = {
    "repodata.json": _repodata,
    "repodata.json.zst": lambda *place: conda.compressed(_repodata(*place)),
    "run_exports.json": _run_exports,
    "run_exports.json.zst": lambda *place: conda.compressed(_run_exports(*place)),
}


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
        listed = [
            (subdir, filename, text)
            for subdir in files.subdirs_of(db, found.id)
            for filename, text, _ in files.records(db, found.id, subdir, view.label)
            if text
        ]
    body = conda.channeldata(listed)
    page = Page(body, etag_of(body), found.serial)
    keep(registry.database, found.id, key, page)
    return page, found.public
