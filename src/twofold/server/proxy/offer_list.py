"""The projects that a channel offers by metadata alone: its list, and when rounds read it."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from threading import Thread

from twofold.errors import Refused, TwofoldError
from twofold.names import normalize_name
from twofold.server.context import Registry, require_channel
from twofold.server.model import Action, Actor, Channel
from twofold.server.proxy.offer_rounds import LOOK_AGAIN, QUIET_RATE, run_round
from twofold.server.proxy.sync import parse_requirement
from twofold.server.store import audit, offers

log = logging.getLogger("twofold.server")

#: The most projects on a channel's list.
MAX_OFFERS = 1_000_000


def add(registry: Registry, actor: Actor, channel: str, requirements: Iterable[str]) -> int:
    """Put projects on the channel's list; return how many are new. Raises Refused."""
    wanted = {}
    for text in requirements:
        requirement = parse_requirement(text)
        if requirement.url or requirement.marker:
            raise Refused("invalid-requirement", f"{text[:100]!a} is a URL, or has a marker")
        wanted[normalize_name(requirement.name)] = str(requirement)
    with registry.database.serialized_write() as db:
        found = require_channel(db, actor, channel, Action.ADMIN)
        if offers.count_offers(db, found.id) + len(wanted) > MAX_OFFERS:
            raise Refused("too-much-required", f"A channel offers {MAX_OFFERS} projects at most")
        before = offers.find_requirements(db, found.id, wanted)
        for key, text in before.items():
            if text != wanted[key]:
                offers.set_requirement(db, found.id, key, wanted[key])
        added = offers.add_offers(db, found.id, wanted, registry.clock())
        detail = {"names": sorted(wanted)[:100], "new": added}
        note = audit.AuditEntry(registry.clock(), actor.name, "offer", channel, "", detail)
        audit.add_entry(db, note)
    return added


def remove(registry: Registry, actor: Actor, channel: str, names: Iterable[str]) -> int:
    """Take projects off the list; return how many were on it. What was fetched stays."""
    keys = sorted({normalize_name(name) for name in names})
    with registry.database.serialized_write() as db:
        found = require_channel(db, actor, channel, Action.ADMIN)
        done = offers.remove_offers(db, found.id, keys, registry.clock())
        detail = {"names": keys[:100], "removed": done}
        note = audit.AuditEntry(registry.clock(), actor.name, "remove-offer", channel, "", detail)
        audit.add_entry(db, note)
    return done


def offers_by_metadata(channel: Channel) -> bool:
    """Whether the channel has an address that lists what nobody fetched."""
    return bool(channel.settings.get("lazy") or channel.settings.get("v3"))


def note_requested(registry: Registry, channel: Channel, name: str) -> None:
    """Offer to conda what pip asked for, where the channel offers by metadata."""
    key = normalize_name(name)
    noted = registry.proxied_channels.noted_names
    if not offers_by_metadata(channel) or (channel.id, key) in noted:
        return
    if len(noted) > 100_000:
        noted.clear()
    noted.add((channel.id, key))
    with registry.database.write() as db:
        if offers.count_offers(db, channel.id) >= MAX_OFFERS:
            return
        if offers.add_offers(db, channel.id, {key: key}, registry.clock()):
            registry.proxied_channels.offer_rounds.pop(channel.id, None)
    start_round(registry, channel)


def start_round(registry: Registry, channel: Channel) -> None:
    """Start a round in a thread, if the channel offers by metadata and none was begun lately."""
    rounds, at = registry.proxied_channels.offer_rounds, registry.clock()
    last = rounds.get(channel.id)
    if not offers_by_metadata(channel) or (last is not None and at - last < LOOK_AGAIN):
        return
    rounds[channel.id] = at
    args = (registry, channel)
    Thread(target=_run_quietly, args=args, name="offers", daemon=True).start()


def _run_quietly(registry: Registry, channel: Channel) -> None:
    try:
        run_round(registry, channel, rate=QUIET_RATE)
    except (TwofoldError, OSError) as error:
        log.warning("the offers of %s could not be read: %s", channel.name, error)
