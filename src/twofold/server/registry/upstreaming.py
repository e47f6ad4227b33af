"""Which channel stands in front of what: told by the operator, noted in the audit log."""

from __future__ import annotations

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server.model import Channel
from twofold.server.registry import Registry
from twofold.server.registry.fronting import CONDA, PYPI
from twofold.server.store import Connection, audit, channels, upstreams
from twofold.server.store.upstreams import Upstream
from twofold.server.upstreams.http import is_public, origin_of


def add(
    registry: Registry, by: str, channel: str, url: str, kind: str, prefixes: tuple[str, ...] = ()
) -> Upstream:
    """Put a channel in front of an index (`pypi`: the address of its simple pages) or a channel.

    An upstream of that kind which it had is replaced. `prefixes` are private: names, and
    beginnings of names, that the upstream never answers for. Raises Refused, Unreachable.
    """
    if kind not in (PYPI, CONDA):
        raise Refused("unknown-kind", f"An upstream is '{PYPI}' or '{CONDA}', not '{kind}'")
    origin_of(url)
    internal = not is_public(url)
    keys = tuple(sorted({normalised(prefix.rstrip("*-_.")) for prefix in prefixes}))
    at = registry.clock()
    with registry.database.write() as db:
        found = _channel(db, channel)
        added = Upstream(found.id, kind, url.rstrip("/"), internal, keys)
        upstreams.set_upstream(db, added, at)
        detail = {"url": added.url, "prefixes": list(keys), "internal": internal}
        audit.note_change(db, audit.Change(at, by, "upstream", channel, kind, detail))
    registry.fronts.forget()
    return added


def remove(registry: Registry, by: str, channel: str, kind: str) -> None:
    """What was fetched stays; nothing new is."""
    at = registry.clock()
    with registry.database.write() as db:
        found = _channel(db, channel)
        if not upstreams.remove_upstream(db, found.id, kind):
            raise Refused("no-upstream", f"'{channel}' has no {kind} upstream", status=404)
        audit.note_change(db, audit.Change(at, by, "remove-upstream", channel, kind))
    registry.fronts.forget()


def all_of(registry: Registry) -> list[tuple[str, Upstream]]:
    """(channel, upstream) pairs."""
    with registry.database.read() as db:
        return upstreams.all_upstreams(db)


def of(registry: Registry, channel: str, kind: str) -> Upstream:
    with registry.database.read() as db:
        found = upstreams.upstream_of(db, _channel(db, channel).id, kind)
    if found is None:
        raise Refused("no-upstream", f"'{channel}' has no {kind} upstream", status=404)
    return found


def _channel(db: Connection, name: str) -> Channel:
    found = channels.channel_named(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found
