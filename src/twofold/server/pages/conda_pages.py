"""The pages of the conda side: repodata.json, shards, run_exports and channeldata.

Shards are rendered on write. Pages of a whole subdir or channel are rendered on the first request
after a change and stored in the database; large ones are refreshed in the background. The shard
index is cached in the process and patched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from twofold.artifact import Kind
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Page, StoredFile, View
from twofold.server.pages import conda_records
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.pages.page_refresh import LARGE_PAGE, PageKey
from twofold.server.pages.page_updates import MAIN, make_etag, save_page
from twofold.server.store import Connection, Database, files, pages

Renderer = Callable[[Connection, Channel, str, str], bytes]


def get_repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return a page of one subdir by its file name, and whether the channel is public."""
    if name not in _RENDERERS and name != _SHARDS:
        raise not_found(f"page '{name[:100]}'")
    label = view.label
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
        if label != MAIN and label not in files.list_labels(db, found.id):
            raise not_found(f"label '{label[:100]}' in channel '{view.channel}'")
        serial = pages.get_last_change(db, found.id, label, subdir)
        if not serial and subdir != "noarch":
            raise not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
        if name == _SHARDS:
            place = (found.id, label, subdir)
            base_url = from_settings(found.settings).base_url_for(subdir)
            return registry.shard_index_cache.get_shard_index(
                db, place, serial, base_url
            ), found.public
        wanted = PageKey(found, label, subdir, name)
        kept = pages.find_page(db, found.id, wanted.text)
    if kept is not None and kept.serial == serial:
        return kept, found.public
    if kept is not None and len(kept.body) >= LARGE_PAGE:
        registry.shard_index_cache.renderer.request_render(registry.database, wanted)
        return replace(kept, is_stale=True), found.public
    page = _render(registry.database, wanted)
    save_page(registry.database, found.id, wanted.text, page)
    return page, found.public


def render(database: Database, key: PageKey) -> None:
    """Render a page from the current records, and store it."""
    page = _render(database, key)
    with database.write() as db:
        pages.save_page(db, key.channel.id, key.text, page)


def _render(database: Database, key: PageKey) -> Page:
    channel, label, subdir = key.channel, key.label, key.subdir
    with database.read() as db:
        serial = pages.get_last_change(db, channel.id, label, subdir)
        body = _RENDERERS[key.name](db, channel, label, subdir)
    return Page(body, make_etag(body), serial)


def _render_repodata(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    options = from_settings(channel.settings)
    found = files.read_records(db, channel.id, subdir, label)
    records = ((name, record or "{}") for name, record, _ in found)
    return conda_records.render_repodata(subdir, records, options.base_url_for(subdir))


def add_wheels(
    registry: Registry,
    view: View,
    place: tuple[str, bytes],
    list_offered: Callable[[], Mapping[str, Any]],
    offered_tag: str,
) -> Page:
    """Return the page of a subdir with v3 records of the view's pure wheels beside its packages.

    Only clients with conda-pypi can install those: rattler prefers such a record to the package of
    the same version and then fails, so that they have an address of their own. `place` is the
    subdir and the page of its packages, empty where there are none. `list_offered` returns the
    records of wheels that nobody fetched, and `offered_tag` changes with them. Raises Refused (404)
    where the channel's rule `v3` does not switch it on, and for a subdir without anything.
    """
    subdir, body = place
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
        options = from_settings(found.settings)
        if not options.v3:
            raise not_found(f"address 'v3' of channel '{view.channel}'")
        key = f"conda/{view.label}/v3/{subdir}"
        page = pages.find_page(db, found.id, key)
        tag = f'"{hashlib.sha256(body).hexdigest()[:24]}-{found.serial}{offered_tag}"'
        if page is not None and page.etag == tag:
            return page
        wheels = conda_records.build_v3_records(db, found, view.label, subdir)
    wheels = dict(sorted({**list_offered(), **wheels}.items()))
    if not body and not wheels:
        raise not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
    body = body or conda_records.render_repodata(subdir, [], options.base_url_for(subdir))
    page = Page(conda_records.add_v3_records(body, wheels), tag, found.serial)
    save_page(registry.database, found.id, key, page)
    return page


def explain_missing_v3_records(
    registry: Registry, channel: Channel, found: Iterable[StoredFile]
) -> dict[int, str]:
    """Return id -> why a wheel has no v3 record, in a channel that has such records."""
    if not from_settings(channel.settings).v3:
        return {}
    with registry.database.read() as db:
        return {
            file.id: reason
            for file in found
            if file.kind is Kind.WHEEL
            and (reason := conda_records.explain_missing_v3_record(db, channel, file))
        }


def _render_current(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    options = from_settings(channel.settings)
    found = files.read_records(db, channel.id, subdir, label)
    records = ((name, record or "{}") for name, record, _ in found)
    return conda_records.render_current(subdir, records, options.base_url_for(subdir))


def _render_run_exports(db: Connection, channel: Channel, label: str, subdir: str) -> bytes:
    found = files.read_records(db, channel.id, subdir, label)
    return conda_records.render_run_exports(
        subdir, ((name, exports or "{}") for name, _, exports in found)
    )


_SHARDS = "repodata_shards.msgpack.zst"

_RENDERERS: dict[str, Renderer] = {
    "repodata.json": _render_repodata,
    "repodata.json.zst": lambda *place: conda_records.compress(_render_repodata(*place)),
    "current_repodata.json": _render_current,
    "current_repodata.json.zst": lambda *place: conda_records.compress(_render_current(*place)),
    "run_exports.json": _render_run_exports,
    "run_exports.json.zst": lambda *place: conda_records.compress(_render_run_exports(*place)),
}


def get_shard(registry: Registry, actor: Actor, channel: str, sha256: str) -> tuple[bytes, bool]:
    """Return one shard by its hash; it never changes."""
    with registry.database.read() as db:
        found = require_channel(db, actor, channel, Action.READ)
        body = pages.find_shard(db, found.id, sha256)
    if body is None:
        raise not_found("such shard")
    return body, found.public


def get_channeldata(registry: Registry, view: View) -> tuple[Page, bool]:
    """Return channeldata.json: the newest record of every name."""
    with registry.database.read() as db:
        found = require_channel(db, view.actor, view.channel, Action.READ)
        key = f"conda/{view.label}/channeldata.json"
        page = pages.find_page(db, found.id, key)
        if page is not None and page.serial == found.serial:
            return page, found.public
        listed = [
            (subdir, filename, text)
            for subdir in files.list_subdirs(db, found.id)
            for filename, text, _ in files.read_records(db, found.id, subdir, view.label)
            if text
        ]
    body = conda_records.render_channeldata(listed)
    page = Page(body, make_etag(body), found.serial)
    save_page(registry.database, found.id, key, page)
    return page, found.public
