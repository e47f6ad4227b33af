"""A channel in front of an upstream: what it lacks is fetched when asked for, checked, and kept.

`privacy` says which names an upstream never answers for, `hearing` what it offers, `bringing`
fetches files; here they become the pages and files of our channel. `fronting_shards` lists shards.
"""

from __future__ import annotations

from collections.abc import Callable

from twofold.errors import Refused, Unreachable
from twofold.server import pages
from twofold.server.manner import manner_of
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import HTML, MAIN, etag_of
from twofold.server.registry import (
    Registry,
    conda_pages,
    fronting_shards,
    hearing,
    looking,
    reachable,
)
from twofold.server.registry.bringing import Wanted, bring, offered, stands
from twofold.server.registry.fronting_shards import Place
from twofold.server.registry.hearing import CONDA, PYPI
from twofold.server.registry.looking import Found
from twofold.server.registry.privacy import is_private, private_among
from twofold.server.rendering import conda as rendering
from twofold.server.store import Connection, upstreams
from twofold.server.store.upstreams import Upstream
from twofold.server.upstreams import conda, pypi, shards


def simple_page(registry: Registry, view: View, name: str, form: str) -> tuple[Page, bool]:
    """A project's page: of what lies here, and of what could be fetched."""
    if not stands(registry, view.channel, PYPI):
        return looking.simple_page(registry, view, name, form)
    with registry.database.read() as db:
        channel = reachable(db, view.actor, view.channel, Action.READ)
        upstream = _asked(db, channel, view, PYPI)
        if upstream is None or is_private(db, channel, upstream, name):
            return looking.simple_page(registry, view, name, form)
    own = _or_none(lambda: looking.simple_page(registry, view, name, pages.JSON)[0])
    try:
        offers = hearing.offers_of(registry, channel, upstream, name)
    except Unreachable:
        if own is None:
            raise
        offers = []
    if own is None and not offers:
        raise looking.not_found(f"project '{name[:100]}' in channel '{view.channel}'")
    value = pypi.page(name, own.body if own else None, offers)
    body = pypi.as_html(value) if form == HTML else pypi.as_json(value)
    return Page(body, etag_of(body), channel.serial), channel.public


def file(registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str) -> Found:
    """A file of the PyPI side by its address, fetched when it is not here yet."""
    bring(registry, actor, Wanted(channel_name, "", filename, sha256))
    return looking.file(registry, actor, channel_name, sha256, filename)


def metadata(
    registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str
) -> tuple[bytes, bool]:
    """A wheel's METADATA (PEP 658), without fetching the wheel where the upstream has it so."""
    wanted = offered(registry, actor, Wanted(channel_name, "", filename, sha256))
    if wanted is not None:
        body = hearing.metadata_of(registry, wanted.channel, wanted.upstream, wanted.pin)
        if body is not None:
            return body, wanted.channel.public
    found = file(registry, actor, channel_name, sha256, filename)
    return looking.metadata(found), found.public


def package(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, filename: str
) -> Found:
    """A package of the conda side, fetched when it is not here yet."""
    bring(registry, actor, Wanted(channel_name, subdir, filename))
    return looking.by_name(registry, actor, channel_name, subdir, filename)


def repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """A page of one subdir: of what lies here, and of what could be fetched.

    Where the upstream has no shards we have none: clients take repodata.json then.
    """
    if not stands(registry, view.channel, CONDA):
        return conda_pages.repodata(registry, view, subdir, name)
    with registry.database.read() as db:
        channel = reachable(db, view.actor, view.channel, Action.READ)
        upstream = _asked(db, channel, view, CONDA)
    if upstream is None or name.startswith("run_exports"):
        return conda_pages.repodata(registry, view, subdir, name)
    if name == shards.NAME:
        page = fronting_shards.shard_list(Place(registry, channel, upstream, subdir))
        return page, channel.public
    if name not in ("repodata.json", "repodata.json.zst"):
        raise looking.not_found(f"page '{name[:100]}'")
    return _repodata(registry, view, channel, upstream, (subdir, name))


def _repodata(
    registry: Registry, view: View, channel: Channel, upstream: Upstream, place: tuple[str, str]
) -> tuple[Page, bool]:
    subdir, name = place
    own = _or_none(lambda: conda_pages.repodata(registry, view, subdir, "repodata.json")[0])
    try:
        offers = hearing.offers_of(registry, channel, upstream, subdir)
    except Unreachable:
        if own is None:
            raise
        offers = []
    if own is None and not offers:
        raise looking.not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
    with registry.database.read() as db:
        private = private_among(db, channel, upstream, {o.entry["name"] for o in offers})
        here = upstreams.files_here(db, channel.id, subdir)
    base_url = manner_of(channel.settings).base_of(subdir)
    mine = own.body if own else rendering.repodata(subdir, [], base_url)
    body = conda.merged(mine, offers, private, {name for names in here.values() for name in names})
    if name.endswith(".zst"):
        body = rendering.compressed(body)
    return Page(body, etag_of(body), channel.serial), channel.public


def shard(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, sha256: str
) -> tuple[bytes, bool]:
    """One shard by its hash: ours, or the upstream's."""
    if not stands(registry, channel_name, CONDA):
        return conda_pages.shard(registry, actor, channel_name, sha256)
    with registry.database.read() as db:
        channel = reachable(db, actor, channel_name, Action.READ)
        upstream = upstreams.upstream_of(db, channel.id, CONDA)
    if upstream is not None:
        body = fronting_shards.shard(Place(registry, channel, upstream, subdir), sha256)
        if body is not None:
            return body, channel.public
    return conda_pages.shard(registry, actor, channel_name, sha256)


def _asked(db: Connection, channel: Channel, view: View, kind: str) -> Upstream | None:
    """The upstream that stands behind the view: behind the label `main` alone."""
    return upstreams.upstream_of(db, channel.id, kind) if view.label == MAIN else None


def _or_none(look: Callable[[], Page]) -> Page | None:
    try:
        return look()
    except Refused as error:
        if error.status != 404:
            raise
        return None
