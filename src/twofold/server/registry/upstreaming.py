"""Which channel stands in front of what: told by the operator, noted in the audit log."""

from __future__ import annotations

from dataclasses import dataclass

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server.model import Channel
from twofold.server.registry import Registry
from twofold.server.registry.hearing import CONDA, PYPI
from twofold.server.store import Connection, audit, channels, upstreams
from twofold.server.store.upstreams import Upstream
from twofold.server.upstreams import secrets
from twofold.server.upstreams.http import is_public, origin_of
from twofold.server.upstreams.secrets import Elsewhere, Secret


@dataclass(frozen=True)
class Front:
    """What a channel is to stand in front of.

    `url` is the address of an index's simple pages (`pypi`) or of a channel (`conda`). `prefixes`
    are private: names, and beginnings of names, that the upstream never answers for. `secret` is
    what it asks for; one that is written into the address is taken out of it.
    """

    url: str
    kind: str
    prefixes: tuple[str, ...] = ()
    secret: Secret | Elsewhere | None = None


def add(registry: Registry, by: str, channel: str, front: Front) -> Upstream:
    """Put a channel in front of an upstream; one of that kind which it had is replaced.

    The secret goes into the database (or where it stands, if it is elsewhere), and nowhere else.
    Raises Refused, Unreachable.
    """
    if front.kind not in (PYPI, CONDA):
        raise Refused("unknown-kind", f"An upstream is '{PYPI}' or '{CONDA}', not '{front.kind}'")
    url, in_url = secrets.apart(front.url)
    secret = front.secret or in_url
    scheme, _, _ = origin_of(url)
    internal = not is_public(url)
    if secret is not None and scheme == "http" and not internal:
        raise Refused(
            "unencrypted-secret",
            "A password or token is not sent over http to a public address",
            "use the upstream's https address",
        )
    keys = tuple(sorted({normalised(prefix.rstrip("*-_.")) for prefix in front.prefixes}))
    at = registry.clock()
    with registry.database.write_in_turn() as db:
        found = _channel(db, channel)
        packed = secrets.packed(secret)
        added = Upstream(found.id, front.kind, url.rstrip("/"), internal, keys, packed)
        upstreams.set_upstream(db, added, at)
        detail = {"url": added.url, "prefixes": list(keys), "internal": internal}
        if secret is not None:
            detail["login"] = secret.kind
        if isinstance(secret, Elsewhere):
            detail["secret"] = secret.place
        audit.note_change(db, audit.Change(at, by, "upstream", channel, front.kind, detail))
    registry.fronts.forget()
    return added


def demand_public(url: str) -> None:
    """Raises Refused (403) for an address that is not a public one: the operator names those."""
    if not is_public(secrets.apart(url)[0]):
        raise Refused(
            "internal-address",
            "An upstream inside the operator's network is named on the machine itself",
            "ask the operator for 'twofold admin upstream add'",
            403,
        )


def remove(registry: Registry, by: str, channel: str, kind: str) -> None:
    """What was fetched stays; nothing new is."""
    at = registry.clock()
    with registry.database.write_in_turn() as db:
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
