"""What `/CHANNEL/lazy` serves: index pages, shards, and packages that are made now.

Their records have neither size nor hash, which rattler, pixi and rattler-build accept. conda's own
client takes a missing size for 0 and installs nothing, so it is refused here: it has `/with/` and
`/v3`. A package's name is that which the conversion gives, and the conversion is deterministic.
"""

from __future__ import annotations

import hashlib
import json

from twofold.errors import Refused
from twofold.index import repodata
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import conda_records
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import offer_list, pages, upstream_conda
from twofold.server.proxy.fetch import FileRequest, fetch_missing
from twofold.server.proxy.lazy.index import (
    OWN,
    drop_stored,
    get_index,
    read_records,
    read_wheels,
)
from twofold.server.proxy.offered_wheels import OfferedWheel
from twofold.server.registry import queries
from twofold.server.registry.deferred_conversion import wait_converted
from twofold.server.registry.queries import ReadableFile
from twofold.server.store import files, offers
from twofold.server.store import pages as stored_pages

#: The most offered projects that repodata.json lists: clients of larger channels read shards.
MAX_IN_REPODATA = 5000

#: Seconds that a download waits for the conversion of a large wheel; clients give up after 30.
WAIT_SECONDS = 25.0


def get_page(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return an index page of one subdir. Raises Refused (404) where the rule is off."""
    channel = _require_lazy(registry, view.actor, view.channel)
    offer_list.start_round(registry, channel)
    if name == upstream_conda.SHARD_INDEX:
        return get_index(registry, view, channel, subdir).render(), channel.public
    if name not in ("repodata.json", "repodata.json.zst"):
        raise not_found(f"page '{name[:100]}'")
    body = _merge_repodata(registry, view, channel, subdir)
    body = conda_records.compress(body) if name.endswith(".zst") else body
    return Page(body, make_etag(body), channel.serial), channel.public


def get_shard(registry: Registry, view: View, subdir: str, sha256: str) -> tuple[bytes, bool]:
    """Return a shard by its hash."""
    channel = _require_lazy(registry, view.actor, view.channel)
    index = get_index(registry, view, channel, subdir)
    merged, key = index.find_shard(sha256), index.find_key(sha256)
    if merged is not None:
        return merged, channel.public
    if key is not None:
        body = repodata.make_shard(read_records(registry, channel, key).get(subdir, {}))
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
    wheel = (
        None
        if is_stored
        else _find_wheel(registry, View(actor, channel_name), channel, subdir, filename)
    )
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
    registry: Registry, view: View, channel: Channel, subdir: str, filename: str
) -> OfferedWheel | None:
    """Return the offered wheel that becomes this package."""
    name = filename.rsplit("-", 2)[0]
    for key in get_index(registry, view, channel, subdir).find_keys(name):
        for wheel in read_wheels(registry, channel, key):
            if any((one[0], one[1]) == (subdir, filename) for one in wheel.packages):
                return wheel
    return None


def _merge_repodata(registry: Registry, view: View, channel: Channel, subdir: str) -> bytes:
    listed = get_index(registry, view, channel, subdir).list_offered()
    if len(listed) > MAX_IN_REPODATA:
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
    groups = ("packages", "packages.conda")
    taken = {one["name"] for group in groups for one in value[group].values()}
    for name, key in listed.items():
        if name not in taken or own.get(name) or channel.settings.get("prefer") == OWN:
            records = read_records(registry, channel, key).get(subdir, {})
            value["packages.conda"] |= drop_stored(registry, channel, subdir, records)
    value["info"].pop("base_url", None)
    return repodata.serialize(value)
