"""A channel in front of an upstream: what it lacks is fetched when asked for, checked, and kept.

A name is private when the channel holds a file of it that did not come from the upstream, or when
it fits a private prefix. That is decided from our own records before anything is fetched: for a
private name the upstream is never asked, whatever state it is in. What it offers is pinned to the
hash first seen; another hash for the same file is refused and noted in the audit log. What it once
said is answered when it is away. A fetched file goes the way of every upload, gates and twin.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from twofold.errors import Refused, Unreachable
from twofold.names import normalised
from twofold.server import pages
from twofold.server.gates import Claims, prefix_of
from twofold.server.model import Action, Actor, Channel, Page, View
from twofold.server.pages import HTML, MAIN, etag_of
from twofold.server.registry import Registry, conda_pages, looking, reachable
from twofold.server.registry.looking import Found
from twofold.server.registry.publishing import Upload, publish
from twofold.server.rendering import conda as rendering
from twofold.server.store import Connection, audit, channels, files, people, upstreams
from twofold.server.store.upstreams import Heard, Pin, Upstream
from twofold.server.upstreams import conda, offers, pypi
from twofold.server.upstreams.http import Source, fetch_file
from twofold.server.upstreams.offers import Offer

PYPI, CONDA = "pypi", "conda"

#: How long an upstream's word is good before it is asked again.
FRESH = timedelta(minutes=10)

#: How long an upstream that was away is left alone where its last word is known.
RETRY = timedelta(minutes=1)

#: The largest file that is fetched (bytes).
LARGEST = 4 << 30


def stands(registry: Registry, channel: str, kind: str) -> bool:
    """Whether the channel stands in front of something; most do not, and pay nothing for it."""

    def read() -> list[tuple[str, str]]:
        with registry.database.read() as db:
            return [(name, one.kind) for name, one in upstreams.all_upstreams(db)]

    return (channel, kind) in registry.fronts.known(read)


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
        offered = offers_of(registry, channel, upstream, name)
    except Unreachable:
        if own is None:
            raise
        offered = []
    if own is None and not offered:
        raise looking.not_found(f"project '{name[:100]}' in channel '{view.channel}'")
    value = pypi.page(name, own.body if own else None, offered)
    body = pypi.as_html(value) if form == HTML else pypi.as_json(value)
    return Page(body, etag_of(body), channel.serial), channel.public


def file(registry: Registry, actor: Actor, channel_name: str, sha256: str, filename: str) -> Found:
    """A file of the PyPI side by its address, fetched when it is not here yet."""
    bring(registry, actor, channel_name, "", filename, sha256)
    return looking.file(registry, actor, channel_name, sha256, filename)


def package(
    registry: Registry, actor: Actor, channel_name: str, subdir: str, filename: str
) -> Found:
    """A package of the conda side, fetched when it is not here yet."""
    bring(registry, actor, channel_name, subdir, filename)
    return looking.by_name(registry, actor, channel_name, subdir, filename)


def repodata(registry: Registry, view: View, subdir: str, name: str) -> tuple[Page, bool]:
    """A page of one subdir. There are no shards of an upstream: clients take repodata.json then."""
    if not stands(registry, view.channel, CONDA):
        return conda_pages.repodata(registry, view, subdir, name)
    with registry.database.read() as db:
        channel = reachable(db, view.actor, view.channel, Action.READ)
        upstream = _asked(db, channel, view, CONDA)
    if upstream is None or name.startswith("run_exports"):
        return conda_pages.repodata(registry, view, subdir, name)
    if name.startswith("repodata_shards"):
        raise looking.not_found("list of shards in a channel with an upstream")
    if name not in ("repodata.json", "repodata.json.zst"):
        raise looking.not_found(f"page '{name[:100]}'")
    return _repodata(registry, view, channel, upstream, (subdir, name))


def _repodata(
    registry: Registry, view: View, channel: Channel, upstream: Upstream, place: tuple[str, str]
) -> tuple[Page, bool]:
    subdir, name = place
    own = _or_none(lambda: conda_pages.repodata(registry, view, subdir, "repodata.json")[0])
    try:
        offered = offers_of(registry, channel, upstream, subdir)
    except Unreachable:
        if own is None:
            raise
        offered = []
    if own is None and not offered:
        raise looking.not_found(f"subdir '{subdir[:50]}' in channel '{view.channel}'")
    with registry.database.read() as db:
        private = _private_among(db, channel, upstream, {o.entry["name"] for o in offered})
    mine = own.body if own else rendering.repodata(subdir, [])
    body = conda.merged(mine, offered, private)
    if name.endswith(".zst"):
        body = rendering.compressed(body)
    return Page(body, etag_of(body), channel.serial), channel.public


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


def is_private(db: Connection, channel: Channel, upstream: Upstream, name: str) -> bool:
    """Whether the upstream may never answer for a name. Asks our own records only."""
    key = normalised(name)
    prefixes = [*channels.prefixes_of(db, channel.id), *upstream.prefixes]
    if prefix_of(key, prefixes) is not None:
        return True
    return upstreams.is_own(db, channel.id, key, name)


def _private_among(
    db: Connection, channel: Channel, upstream: Upstream, names: Iterable[str]
) -> set[str]:
    """The private ones of many names; most are not known here, which costs no query each."""
    known = channels.projects_of(db, channel.id)
    here = {project.key for project in known} | {project.conda_name for project in known}
    prefixes = [*channels.prefixes_of(db, channel.id), *upstream.prefixes]
    return {
        name
        for name in names
        if prefix_of(normalised(name), prefixes) is not None
        or ((normalised(name) in here or name in here) and is_private(db, channel, upstream, name))
    }


def offers_of(registry: Registry, channel: Channel, upstream: Upstream, key: str) -> list[Offer]:
    """What the upstream offers under a key (a project, or a subdir): fresh, or what it last said.

    Raises Unreachable when it is away and never said anything. Files under another hash than the
    first seen are left out.
    """
    at = registry.clock()
    with registry.database.read() as db:
        last = upstreams.heard(db, upstream, key)
    if last is not None and at - last.checked_at < FRESH:
        return offers.unpacked(last.body)
    look = pypi.offers if upstream.kind == PYPI else conda.offers
    try:
        told = look(Source(upstream.url, upstream.internal), key) or []
    except (Unreachable, Refused):
        if last is None:
            raise
        again = replace(last, checked_at=at - FRESH + RETRY)
        with registry.database.write() as db:
            upstreams.set_heard(db, upstream, key, again)
        return offers.unpacked(last.body)
    if not told and last is None:
        return []  # nothing to remember: anybody may ask for any name
    return _heard(registry, channel, upstream, key, told)


def _heard(
    registry: Registry, channel: Channel, upstream: Upstream, key: str, told: Iterable[Offer]
) -> list[Offer]:
    """Pin what is new, leave out and report what has changed, keep the rest as the last word."""
    at = registry.clock()
    subdir = key if upstream.kind == CONDA else ""
    with registry.database.write() as db:
        pinned = upstreams.pins(db, channel.id, subdir, key)
        good, new = [], []
        for offer in told:
            pin = pinned.get(offer.filename)
            if pin is None:
                made = Pin(upstream.kind, subdir, offer.filename, key, offer.sha256, offer.url)
                new.append(made)
            elif pin.sha256 != offer.sha256:
                _report(registry, db, channel, pin, offer.sha256)
                continue
            elif pin.url != offer.url:
                upstreams.change_pin(db, channel.id, pin, url=offer.url)
            good.append(offer)
        upstreams.add_pins(db, channel.id, new, at)
        body = offers.packed(good)
        digest = hashlib.sha256(body).hexdigest()
        upstreams.set_heard(db, upstream, key, Heard(body, digest, at))
    return good


def _report(registry: Registry, db: Connection, channel: Channel, pin: Pin, now: str) -> None:
    detail = {"first_seen": pin.sha256, "now": now, "url": pin.url}
    change = audit.Change(
        registry.clock(), "upstream", "upstream-changed", channel.name, pin.filename, detail
    )
    audit.note_change(db, change)


def bring(
    registry: Registry,
    actor: Actor,
    channel_name: str,
    subdir: str,
    filename: str,
    sha256: str | None = None,
) -> bool:
    """Fetch a file that is pinned and not here, and publish it. True when it was fetched.

    Nothing happens for a file that is here, was deleted, is not pinned, or whose name is private.
    Raises Unreachable, and Refused (502) when what came is not what was first seen.
    """
    kind = CONDA if subdir else PYPI
    if not stands(registry, channel_name, kind):
        return False
    with registry.database.read() as db:
        channel = reachable(db, actor, channel_name, Action.READ)
        upstream = upstreams.upstream_of(db, channel.id, kind)
        if upstream is None:
            return False
        if files.file_named(db, channel.id, subdir, filename) is not None:
            return False
        pin = upstreams.pin_of(db, channel.id, subdir, filename)
        if pin is None or pin.kind != kind or sha256 not in (None, pin.sha256):
            return False
        if is_private(db, channel, upstream, _name_in(filename, kind)):
            return False
        owner = people.user_by_id(db, channel.owner_id)
    _fetch_and_publish(registry, channel, upstream, pin, Actor(owner))
    return True


def _name_in(filename: str, kind: str) -> str:
    if kind == PYPI:
        return filename.split("-")[0] if filename.endswith(".whl") else filename.rpartition("-")[0]
    return filename.rsplit("-", 2)[0]


def _fetch_and_publish(
    registry: Registry, channel: Channel, upstream: Upstream, pin: Pin, owner: Actor
) -> None:
    registry.spool.mkdir(parents=True, exist_ok=True)
    path = registry.spool / f"fetched-{os.urandom(12).hex()}"
    source = Source(upstream.url, upstream.internal)
    try:
        fetch_file(source, pin.url, path, LARGEST)
        _demand_pinned(registry, channel, pin, path)
        with registry.database.write() as db:
            upstreams.change_pin(db, channel.id, pin, wanted=True)
            note = audit.Change(registry.clock(), "upstream", "fetch", channel.name, pin.filename)
            audit.note_change(db, replace(note, detail={"url": pin.url, "sha256": pin.sha256}))
        claims = Claims(subdir=pin.subdir, digests={"sha256": pin.sha256})
        publish(registry, owner, channel.name, Upload(path, pin.filename, claims))
    except Refused as error:
        if error.status == 502:
            raise
        reason = error.problems[0].message
        text = f"What the upstream has as {pin.filename} is not taken: {reason}"
        raise Refused("upstream-refused", text, status=502) from error
    finally:
        path.unlink(missing_ok=True)


def _demand_pinned(registry: Registry, channel: Channel, pin: Pin, path: Path) -> None:
    with path.open("rb") as fetched:
        actual = hashlib.file_digest(fetched, "sha256").hexdigest()
    if actual == pin.sha256:
        return
    with registry.database.write() as db:
        _report(registry, db, channel, pin, actual)
    raise Refused(
        "upstream-changed",
        f"The upstream's {pin.filename} has changed since it was first seen "
        f"({actual[:16]}..., first seen {pin.sha256[:16]}...)",
        "nothing was taken; ask its author, and see 'twofold admin log'",
        502,
    )
