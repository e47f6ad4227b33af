"""`/CHANNEL/v3`: the channel with `v3` records of pure wheels, for conda with conda-pypi.

Wheels of the channel, and wheels of offered projects that nobody fetched (`proxy.offer_list`).
"""

from __future__ import annotations

import json
from typing import Any

from twofold.errors import Refused
from twofold.server.admission.names import filter_private
from twofold.server.context import Registry, not_found
from twofold.server.model import Channel, Page, View
from twofold.server.pages import conda_pages, conda_records
from twofold.server.pages.page_updates import MAIN, make_etag
from twofold.server.proxy import offer_list, offered_wheels, pages
from twofold.server.registry import queries
from twofold.server.store import channels, files, offers


def get_repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return repodata.json with v3 records of pure wheels, for conda with conda-pypi.

    There are no shards at that address. Raises Refused (404).
    """
    if name not in ("repodata.json", "repodata.json.zst"):
        raise not_found(f"page '{name[:100]}'")
    channel = queries.get_channel(registry, view.actor, view.channel)
    base, tag = _read_packages(registry, view, subdir), ""
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


def _read_packages(registry: Registry, view: View, subdir: str) -> bytes:
    """Return the page of the packages of a subdir; empty where there is none."""
    try:
        return pages.get_repodata(registry, view, subdir, "repodata.json")[0].body
    except Refused as error:
        if error.status != 404:
            raise
        return b""


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
