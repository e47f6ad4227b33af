"""Which names are private: an upstream never answers for them, whatever state it is in.

A name is private when the channel holds a file of it that did not come from the upstream, or when
it fits a private prefix. That is decided from our own records, before anything is fetched.
"""

from __future__ import annotations

from collections.abc import Iterable

from twofold.names import normalize_name
from twofold.server.admission.checks import find_prefix
from twofold.server.model import Channel
from twofold.server.store import Connection, channels, upstreams
from twofold.server.store.upstreams import Upstream


def is_private(db: Connection, channel: Channel, upstream: Upstream, name: str) -> bool:
    """Whether the upstream may never answer for a name. Asks our own records only."""
    key = normalize_name(name)
    if find_prefix(key, private_prefixes(db, channel, upstream)) is not None:
        return True
    return upstreams.is_local_name(db, channel.id, key, name)


def filter_private(
    db: Connection, channel: Channel, upstream: Upstream, names: Iterable[str]
) -> set[str]:
    """The private ones of many names; most are not known here, which costs no query each."""
    here = channels.list_names(db, channel.id)
    private = private_prefixes(db, channel, upstream)
    return {
        name
        for name in names
        if (private and find_prefix(normalize_name(name), private) is not None)
        or (
            (name in here or normalize_name(name) in here)
            and is_private(db, channel, upstream, name)
        )
    }


def private_prefixes(db: Connection, channel: Channel, upstream: Upstream) -> list[str]:
    """The channel's reserved prefixes (PEP 752) and those told with the upstream."""
    return [*channels.list_prefixes(db, channel.id), *upstream.prefixes]
