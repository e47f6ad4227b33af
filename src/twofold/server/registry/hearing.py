"""What upstreams say: asked when their last word is old, pinned, kept, and believed when away.

What an upstream offers is pinned to the hash first seen; another hash for the same file is left out
and noted in the audit log. What it once said is answered when it is away. Kept under keys of the
table of pages: a project's key, a subdir (`noarch`: all of repodata.json), `noarch/` (the list of
shards), `noarch/NAME` (a shard; its digest is the upstream's hash, its validator ours where we left
something out), `FILE.metadata` (PEP 658).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from twofold.errors import Refused, Unreachable
from twofold.server.model import Channel
from twofold.server.registry import Registry
from twofold.server.store import Connection, audit, upstreams
from twofold.server.store.upstreams import CONDA as CONDA
from twofold.server.store.upstreams import PYPI as PYPI
from twofold.server.store.upstreams import Heard, Pin, Upstream
from twofold.server.upstreams import conda, offers, pypi, shards
from twofold.server.upstreams.http import Source, fetch_page
from twofold.server.upstreams.offers import Offer
from twofold.server.upstreams.secrets import unpacked
from twofold.server.upstreams.shards import ShardList

#: How long an upstream's word is good before it is asked again.
FRESH = timedelta(minutes=10)

#: How long an upstream that was away is left alone where its last word is known.
RETRY = timedelta(minutes=1)

#: The largest METADATA that is passed on (bytes).
LARGEST_METADATA = 16 << 20


def source_of(upstream: Upstream) -> Source:
    return Source(upstream.url, upstream.internal, unpacked(upstream.secret))


def offers_of(registry: Registry, channel: Channel, upstream: Upstream, key: str) -> list[Offer]:
    """What the upstream offers under a key (a project, or a subdir): fresh, or what it last said.

    Raises Unreachable when it is away and never said anything. Files under another hash than the
    first seen are left out.
    """
    last = _last(registry, upstream, key)
    if last is not None and registry.clock() - last.checked_at < FRESH:
        return offers.unpacked(last.body)
    look = pypi.offers if upstream.kind == PYPI else conda.offers
    try:
        told = look(source_of(upstream), key, last.validator if last else "")
    except (Unreachable, Refused):
        if last is None:
            raise
        _leave_alone(registry, upstream, key)
        return offers.unpacked(last.body)
    if told is not None and told.unchanged and last is not None:
        _still_true(registry, upstream, key)
        return offers.unpacked(last.body)
    if not (told and told.offers) and last is None:
        return []  # nothing to remember: anybody may ask for any name
    subdir = key if upstream.kind == CONDA else ""
    good = pin(registry, channel, upstream, (subdir, key), told.offers if told else ())
    _keep(registry, upstream, key, offers.packed(good), validator=told.validator if told else "")
    return good


def shard_list(registry: Registry, upstream: Upstream, subdir: str) -> tuple[ShardList, str] | None:
    """The upstream's list of shards and its digest; None when it has none.

    Raises Unreachable when it is away and never said anything.
    """
    key = f"{subdir}/"
    last = _last(registry, upstream, key)
    if last is None or registry.clock() - last.checked_at >= FRESH:
        last = _ask_for_list(registry, upstream, subdir, last)
    address, _, body = last.body.partition(b"\n")
    return (shards.read_list(body, address.decode()), last.digest) if body else None


def _ask_for_list(registry: Registry, upstream: Upstream, subdir: str, last: Heard | None) -> Heard:
    """Kept with its address before it; without a body when the upstream has no shards."""
    key = f"{subdir}/"
    try:
        found = shards.fetch_list(source_of(upstream), subdir, last.validator if last else "")
        if found is not None and not found.unchanged:
            shards.read_list(found.body, found.address)
    except (Unreachable, Refused):
        if last is None:
            raise
        _leave_alone(registry, upstream, key)
        return last
    if found is not None and found.unchanged and last is not None:
        _still_true(registry, upstream, key)
        return last
    body = f"{found.address}\n".encode() + found.body if found else b""
    return _keep(registry, upstream, key, body, validator=found.validator if found else "")


def shard_of(
    registry: Registry,
    channel: Channel,
    upstream: Upstream,
    place: ShardList,
    at: tuple[str, str],
    exact: bool = False,
) -> tuple[bytes, list[Offer]]:
    """The shard of a (subdir, name) as it may be passed on, and what it offers.

    Byte for byte the upstream's unless something in it is left out. Raises Unreachable and Refused
    when it is not at hand and cannot be had; then, unless `exact`, the last one heard will do.
    """
    subdir, name = at
    key = f"{subdir}/{name}"
    last = _last(registry, upstream, key)
    wanted = place.shards[name]
    if last is not None and last.digest == wanted:
        return last.body, shards.offers(last.body, place, name)[0]
    try:
        body = shards.fetch_shard(source_of(upstream), place, name)
        found, whole = shards.offers(body, place, name)
    except (Unreachable, Refused):
        if last is None or exact:
            raise
        return last.body, shards.offers(last.body, place, name)[0]
    good = pin(registry, channel, upstream, (subdir, key), found)
    if not whole or len(good) < len(found):
        body = shards.packed({offer.filename: offer.entry for offer in good})
    shown = hashlib.sha256(body).hexdigest()
    _keep(registry, upstream, key, body, digest=wanted, validator=shown if shown != wanted else "")
    return body, good


def metadata_of(
    registry: Registry, channel: Channel, upstream: Upstream, pinned: Pin
) -> bytes | None:
    """METADATA of a wheel that was not fetched yet, checked by the hash that its page told.

    None when the page tells none. Raises Unreachable, and Refused (502) when it is another one.
    """
    key = f"{pinned.filename}.metadata"
    last = _last(registry, upstream, key)
    if last is not None:
        return last.body
    offered = offers_of(registry, channel, upstream, pinned.key)
    entry = next((one.entry for one in offered if one.filename == pinned.filename), {})
    sha256 = pypi.metadata_hash(entry)
    if not sha256:
        return None
    url = f"{pinned.url}.metadata"
    found = fetch_page(source_of(upstream), url, "*/*", "", LARGEST_METADATA)
    if found is None:
        return None
    if hashlib.sha256(found.body).hexdigest() != sha256:
        raise Refused("upstream-changed", f"The upstream's {url} has another hash", status=502)
    return _keep(registry, upstream, key, found.body).body


def pin(
    registry: Registry,
    channel: Channel,
    upstream: Upstream,
    place: tuple[str, str],
    told: Sequence[Offer],
) -> list[Offer]:
    """Pin what is new under (subdir, key); leave out and report what has changed."""
    subdir, key = place
    with registry.database.write() as db:
        pinned = upstreams.pins(db, channel.id, subdir, [offer.filename for offer in told])
        good, new, changed = [], [], []
        for offer in told:
            known = pinned.get(offer.filename)
            if known is None:
                new.append(Pin(upstream.kind, subdir, offer.filename, key, offer.sha256, offer.url))
            elif known.sha256 != offer.sha256:
                changed.append((known, offer.sha256))
                continue
            elif known.url != offer.url:
                upstreams.change_pin(db, channel.id, known, url=offer.url)
            good.append(offer)
        upstreams.add_pins(db, channel.id, new, registry.clock())
        for known, now in changed:
            report(registry, db, channel, known, now)
    return good


def report(registry: Registry, db: Connection, channel: Channel, known: Pin, now: str) -> None:
    """Say in the audit log that an upstream has other bytes under a name than it had."""
    detail = {"first_seen": known.sha256, "now": now, "url": known.url}
    change = audit.Change(
        registry.clock(), "upstream", "upstream-changed", channel.name, known.filename, detail
    )
    audit.note_change(db, change)


def _last(registry: Registry, upstream: Upstream, key: str) -> Heard | None:
    with registry.database.read() as db:
        return upstreams.heard(db, upstream, key)


def _keep(
    registry: Registry,
    upstream: Upstream,
    key: str,
    body: bytes,
    digest: str = "",
    validator: str = "",
) -> Heard:
    digest = digest or hashlib.sha256(body).hexdigest()
    heard = Heard(body, digest, registry.clock(), validator)
    with registry.database.write() as db:
        upstreams.set_heard(db, upstream, key, heard)
    return heard


def _still_true(registry: Registry, upstream: Upstream, key: str) -> None:
    with registry.database.write() as db:
        upstreams.set_checked(db, upstream, key, registry.clock())


def _leave_alone(registry: Registry, upstream: Upstream, key: str) -> None:
    """It is away, and its last word is known: ask again soon, but not at once."""
    with registry.database.write() as db:
        upstreams.set_checked(db, upstream, key, registry.clock() - FRESH + RETRY)
