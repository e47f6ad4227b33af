"""Which names are private: an upstream never answers for them, whatever state it is in.

A name is private when the channel holds a file of it that did not come from the upstream, or when
it fits a private prefix. That is decided from our own records, before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable

from twofold.names import normalised
from twofold.server.gates import prefix_of
from twofold.server.model import Channel
from twofold.server.store import Connection, channels, upstreams
from twofold.server.store.upstreams import Upstream


def is_private(db: Connection, channel: Channel, upstream: Upstream, name: str) -> bool:
    """Whether the upstream may never answer for a name. Asks our own records only."""
    key = normalised(name)
    if prefix_of(key, prefixes(db, channel, upstream)) is not None:
        return True
    return upstreams.is_own(db, channel.id, key, name)


def private_among(
    db: Connection, channel: Channel, upstream: Upstream, names: Iterable[str]
) -> set[str]:
    """The private ones of many names; most are not known here, which costs no query each."""
    here = channels.names_of(db, channel.id)
    private = prefixes(db, channel, upstream)
    return {
        name
        for name in names
        if (private and prefix_of(normalised(name), private) is not None)
        or ((name in here or normalised(name) in here) and is_private(db, channel, upstream, name))
    }


def prefixes(db: Connection, channel: Channel, upstream: Upstream) -> list[str]:
    """The channel's reserved prefixes (PEP 752) and those told with the upstream."""
    return [*channels.prefixes_of(db, channel.id), *upstream.prefixes]
