"""Pages and files of a channel with an upstream: fetched on request, verified and stored.

`admission.private_names` decides which names are never served from the upstream, `metadata_cache`
which files the upstream has, `fetch` stores files, `shards` merges the shard indexes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain

from twofold.errors import Refused, Unreachable
from twofold.fetching.remote_wheel import fetch_metadata
from twofold.server.admission.names import filter_withheld, find_sources
from twofold.server.context import Registry, not_found, require_channel
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import conda_pages, page_updates
from twofold.server.pages import conda_records as rendering
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.pages.page_updates import HTML, MAIN, make_etag
from twofold.server.proxy import (
    metadata_cache,
    offer_list,
    shards,
    upstream_conda,
    upstream_simple,
)
from twofold.server.proxy.fetch import (
    Download,
    FileRequest,
    fetch_missing,
    find_fetchable,
    find_refusals,
    has_upstream,
    revalidate_fetched,
    start_fetch,
)
from twofold.server.proxy.metadata_cache import CONDA, PYPI
from twofold.server.proxy.remote_files import RemoteFile, RemoteProject
from twofold.server.proxy.shards import ProxiedSubdir
from twofold.server.registry import queries
from twofold.server.registry.queries import ReadableFile
from twofold.server.store import projects, upstreams
from twofold.server.store.upstreams import Upstream

log = logging.getLogger("twofold.server")


def get_simple_page(registry: Registry, view: View, name: str, form: str) -> tuple[Page, bool]:
    """Return a project's page: stored files and fetchable ones."""
    if not has_upstream(registry, view.channel, PYPI):
        return queries.get_simple_page(registry, view, name, form)
    with registry.database.read() as db:
        channel = require_channel(db, view.actor, view.channel, Action.READ)
        if view.label != MAIN or not find_sources(db, channel, PYPI, name):
            return queries.get_simple_page(registry, view, name, form)
    remote, upstream, failure = RemoteProject(), None, None
    try:
        remote, upstream = metadata_cache.find_project(registry, channel, name)
    except Unreachable as error:
        failure = error
    own = _read_or_none(lambda: queries.get_simple_page(registry, view, name, page_updates.JSON)[0])
    if failure is not None and own is None:
        raise failure
    if own is None and remote.unusable:
        raise Refused(
            "not-found",
            f"The upstream has no file of '{name[:100]}' that can be served",
            "its files need a SHA-256, the one that was first seen, and be wheels or sdists",
            404,
        )
    if own is None and not remote.files and remote.status in ("", "active"):
        raise not_found(f"project '{name[:100]}' in channel '{view.channel}'")
    if remote.files:
        offer_list.note_requested(registry, channel, name)
    refused = find_refusals(registry, channel, upstream, name, remote.files) if upstream else {}
    value = upstream_simple.merge_page(name, own.body if own else None, remote, refused)
    if registry.proxied_channels.reads_parts:
        upstream_simple.promise_metadata(value)
    body = (
        upstream_simple.render_html(value) if form == HTML else upstream_simple.render_json(value)
    )
    until = registry.clock() if failure is not None else remote.fresh_until
    return Page(body, make_etag(body), channel.serial, fresh_until=until), channel.public


def get_file(
    registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str
) -> ReadableFile:
    """Return a file of the PyPI side by hash and name, fetching it if necessary."""
    fetch_missing(registry, actor, FileRequest(channel_name, "", filename, sha256))
    return queries.get_file(registry, actor, channel_name, sha256, filename)


def open_download(
    registry: Registry, actor: Actor, request: FileRequest
) -> tuple[Download, bool] | None:
    """Return the download of a file that is fetched now, once it has bytes to send; None else.

    The flag beside it is whether the channel is public. Raises what the fetch raised.
    """
    started = start_fetch(registry, actor, request)
    if started is None:
        return None
    download, channel = started
    if download.failed_before:
        download.wait()
        return None
    download.wait_readable()
    if not download.is_readable:  # another process published it meanwhile
        return None
    return download, channel.public


def get_metadata(
    registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str
) -> tuple[bytes, bool]:
    """Return a wheel's METADATA (PEP 658), without fetching the wheel if possible."""
    wanted = find_fetchable(registry, actor, FileRequest(channel_name, "", filename, sha256))
    if wanted is not None:
        args = (registry, wanted.channel, wanted.upstream, wanted.pin)
        body = metadata_cache.cached_wheel_metadata(*args)
        if body is None and registry.proxied_channels.reads_parts:
            body = fetch_metadata(metadata_cache.upstream_source(wanted.upstream), wanted.pin.url)
        if body is not None:
            return body, wanted.channel.public
    found = get_file(registry, actor, channel_name, sha256, filename)
    return queries.read_metadata(found), found.public


def get_package(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, filename: str
) -> ReadableFile:
    """Return a conda package, fetching it if necessary."""
    fetch_missing(registry, actor, FileRequest(channel_name, subdir, filename))
    return queries.get_file_by_name(registry, actor, channel_name, subdir, filename)


def get_repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """Return a page of one subdir: stored packages and fetchable ones.

    If the upstream has no shards, neither does the channel: clients then use repodata.json.
    """
    until = None
    if has_upstream(registry, view.channel, PYPI):
        channel = queries.get_channel(registry, view.actor, view.channel)
        until = revalidate_fetched(registry, channel)
    if not has_upstream(registry, view.channel, CONDA):
        page, public = conda_pages.get_repodata(registry, view, subdir, name)
        return replace(page, fresh_until=until), public
    with registry.database.read() as db:
        channel = require_channel(db, view.actor, view.channel, Action.READ)
        every = upstreams.find_upstreams(db, channel.id, CONDA) if view.label == MAIN else []
    if not every or name.startswith("run_exports"):
        return conda_pages.get_repodata(registry, view, subdir, name)
    if name == upstream_conda.SHARD_INDEX:
        page = shards.get_shard_index(ProxiedSubdir(registry, channel, tuple(every), subdir))
        return replace(page, fresh_until=registry.clock()), channel.public
    if name not in ("repodata.json", "repodata.json.zst"):
        raise not_found(f"page '{name[:100]}'")
    return _merge_repodata(registry, view, channel, every, (subdir, name))


def find_repodata(registry: Registry, view: View, subdir: str, name: str) -> Page | None:
    """Return a page as `get_repodata` does; None where the subdir has none yet."""
    return _read_or_none(lambda: get_repodata(registry, view, subdir, name)[0])


def with_base_url(page: Page, name: str, base_url: str) -> Page:
    """Return a page of one subdir that names `base_url` for its packages (CEP 15, 16)."""
    if name == upstream_conda.SHARD_INDEX:
        body = rendering.set_shard_base_url(page.body, base_url)
    elif name.startswith(("repodata.json", "current_repodata.json")):
        is_packed = name.endswith(".zst")
        plain = upstream_conda.decompress(page.body, 1 << 30) if is_packed else page.body
        body = rendering.set_base_url(plain, base_url)
        body = rendering.compress(body) if is_packed else body
    else:
        return page
    return Page(body, make_etag(body), page.serial)


def _merge_repodata(
    registry: Registry,
    view: View,
    channel: Channel,
    every: Sequence[Upstream],
    place: tuple[str, str],
) -> tuple[Page, bool]:
    subdir, name = place
    own = _read_or_none(
        lambda: conda_pages.get_repodata(registry, view, subdir, "repodata.json")[0]
    )
    remote: dict[str, list[RemoteFile]] = {}  # by name: that of the first upstream that has it
    try:
        for upstream in every:
            _add_packages(remote, registry, channel, upstream, subdir)
    except Unreachable as error:  # a later upstream may have other packages of its names
        if own is None and not remote:
            raise
        log.warning("%s/%s has not all packages: %s", channel.name, subdir, error)
    if own is None and not remote:
        raise not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
    with registry.database.read() as db:
        here = projects.list_local_files(db, channel.id, subdir)
    base_url = from_settings(channel.settings).base_url_for(subdir)
    mine = own.body if own else rendering.render_repodata(subdir, [], base_url)
    body = upstream_conda.merge_repodata(
        mine, chain(*remote.values()), {name for names in here.values() for name in names}
    )
    if name.endswith(".zst"):
        body = rendering.compress(body)
    page = Page(body, make_etag(body), channel.serial, fresh_until=registry.clock())
    return page, channel.public


def _add_packages(
    found: dict[str, list[RemoteFile]],
    registry: Registry,
    channel: Channel,
    upstream: Upstream,
    subdir: str,
) -> None:
    """Add the packages of an upstream whose names none before it has."""
    remote = metadata_cache.cached_project(registry, channel, upstream, subdir)
    with registry.database.read() as db:
        names = {file.entry["name"] for file in remote.files} | set(remote.unusable)
        names -= set(found)
        names -= filter_withheld(db, channel, upstream, names)
    for name in names:
        found[name] = []
    for file in remote.files:
        if file.entry["name"] in names:
            found[file.entry["name"]].append(file)


def get_shard(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, sha256: str
) -> tuple[bytes, bool]:
    """Return one shard by its hash, the channel's or the upstream's."""
    if not has_upstream(registry, channel_name, CONDA):
        return conda_pages.get_shard(registry, actor, channel_name, sha256)
    with registry.database.read() as db:
        channel = require_channel(db, actor, channel_name, Action.READ)
        every = upstreams.find_upstreams(db, channel.id, CONDA)
    if every:
        body = shards.get_shard(ProxiedSubdir(registry, channel, tuple(every), subdir), sha256)
        if body is not None:
            return body, channel.public
    return conda_pages.get_shard(registry, actor, channel_name, sha256)


def _read_or_none(look: Callable[[], Page]) -> Page | None:
    try:
        return look()
    except Refused as error:
        if error.status != 404:
            raise
        return None
