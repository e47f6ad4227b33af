"""Upstreams of channels, their cached responses and the pinned hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from twofold.server.model import to_text
from twofold.server.store.schema import (
    channels,
    upstream_pages,
    upstream_pins,
    upstreams,
)
from twofold.server.store.tables.inserts import insert_missing

#: Kinds of upstream: a PyPI-style index, or a conda channel.
PYPI, CONDA = "pypi", "conda"

#: The name of an upstream that was given none.
DEFAULT = "default"

# Statements of every request are made once: that takes longer than their execution.
_OF_KIND = select(upstreams).where(
    *(upstreams.c[key] == bindparam(key) for key in ("channel_id", "kind"))
)
_ANY = select(upstreams.c.kind).where(upstreams.c.channel_id == bindparam("channel_id")).limit(1)
_PINS_OF_SUBDIR = select(upstream_pins).where(
    *(upstream_pins.c[key] == bindparam(key) for key in ("channel_id", "subdir"))
)
_PIN = _PINS_OF_SUBDIR.where(upstream_pins.c.filename == bindparam("filename"))
_PINS = _PINS_OF_SUBDIR.where(upstream_pins.c.filename.in_(bindparam("filenames", expanding=True)))


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream of a channel: an index (`pypi`) or a channel (`conda`).

    `internal`: the operator allowed a URL that is not public. `prefixes`: normalised names and
    name prefixes that are never requested from it. `secret`: its credentials, or ''. `files_at`:
    hosts (or host:port) beside it from which the operator allowed files, though not public.
    `policy`: the conditions on its files (`proxy.policy`, JSON), or ''.

    A channel may have several upstreams of a kind: `name` identifies each, `position` is their
    order. `only`: its own names (`spam`, `spam-*`), which no upstream without them is asked for;
    empty: all names but those that others claim (`claimed`). `max_age`: seconds for which its
    responses are fresh; None: the default.
    """

    channel_id: int
    kind: str
    url: str
    internal: bool = False
    prefixes: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    files_at: tuple[str, ...] = ()
    policy: str = ""
    name: str = DEFAULT
    position: int = 0
    only: tuple[str, ...] = ()
    max_age: int | None = None
    claimed: tuple[str, ...] = ()

    def may_have(self, key: str) -> bool:
        """Whether it may be asked for a normalised name."""
        if any(key == prefix or key.startswith(f"{prefix}-") for prefix in self.prefixes):
            return False
        return _is_listed(key, self.only) if self.only else not _is_listed(key, self.claimed)


def _is_listed(key: str, names: Iterable[str]) -> bool:
    """Whether a name is one of these; `spam-*` is every name that begins with `spam-`."""
    return any(key.startswith(name[:-1]) if name.endswith("*") else key == name for name in names)


@dataclass(frozen=True, slots=True)
class Pin:
    """A file listed by an upstream, pinned to the hash it was first seen with.

    `wanted`: the file was requested and fetched. `yanked` is the yank last taken over from the
    upstream. `refused` is why the content was refused (JSON), as `Refusal` has it.
    """

    kind: str
    subdir: str
    filename: str
    key: str
    sha256: str
    url: str
    wanted: bool = False
    yanked: str | None = None
    refused: str | None = None
    upstream: str = DEFAULT


def set_upstream(db: Connection, upstream: Upstream, at: datetime) -> None:
    """Add an upstream, or replace the one of its kind and name."""
    remove_upstream(db, upstream.channel_id, upstream.kind, upstream.name)
    db.execute(
        insert(upstreams).values(
            channel_id=upstream.channel_id,
            kind=upstream.kind,
            name=upstream.name,
            position=upstream.position,
            url=upstream.url,
            internal=upstream.internal,
            prefixes=json.dumps(upstream.prefixes),
            secret=upstream.secret,
            options=_serialize_options(upstream),
            created_at=to_text(at),
        )
    )


def set_position(db: Connection, upstream: Upstream) -> None:
    """Store the upstream's place in the order."""
    here = (upstreams.c.channel_id == upstream.channel_id) & (upstreams.c.kind == upstream.kind)
    named = here & (upstreams.c.name == upstream.name)
    db.execute(update(upstreams).where(named).values(position=upstream.position))


def set_policy(db: Connection, upstream: Upstream) -> None:
    """Store the upstream's policy."""
    here = (upstreams.c.channel_id == upstream.channel_id) & (upstreams.c.kind == upstream.kind)
    named = here & (upstreams.c.name == upstream.name)
    db.execute(update(upstreams).where(named).values(options=_serialize_options(upstream)))


def _serialize_options(upstream: Upstream) -> str:
    options = {
        "files_at": upstream.files_at,
        "policy": upstream.policy,
        "only": upstream.only,
        "max_age": upstream.max_age,
    }
    return json.dumps({key: one for key, one in options.items() if one not in ("", (), None)})


def remove_upstream(db: Connection, channel_id: int, kind: str, name: str = DEFAULT) -> bool:
    """Remove an upstream; returns False if there was none. Pinned hashes stay."""
    for table, column in (
        (upstream_pages, upstream_pages.c.upstream),
        (upstreams, upstreams.c.name),
    ):
        done = db.execute(
            delete(table).where(
                table.c.channel_id == channel_id, table.c.kind == kind, column == name
            )
        )
    return bool(done.rowcount)


def find_upstreams(db: Connection, channel_id: int, kind: str) -> list[Upstream]:
    """Return a channel's upstreams of a kind, in their order."""
    rows = db.execute(_OF_KIND, {"channel_id": channel_id, "kind": kind})
    found = [_to_upstream(row) for row in rows]
    found.sort(key=lambda one: (one.position, one.name))
    claimed = tuple(name for one in found for name in one.only)
    return [replace(one, claimed=claimed) for one in found]


def find_upstream(
    db: Connection, channel_id: int, kind: str, name: str = DEFAULT
) -> Upstream | None:
    """Return a channel's upstream of a kind and name, or None."""
    found = find_upstreams(db, channel_id, kind)
    return next((one for one in found if one.name == name), None)


def has_upstream(db: Connection, channel_id: int) -> bool:
    """Whether a channel has an upstream of any kind."""
    return db.execute(_ANY, {"channel_id": channel_id}).first() is not None


def list_upstreams(db: Connection) -> list[tuple[str, Upstream]]:
    """List (channel name, upstream) pairs."""
    query = select(channels.c.name.label("channel"), upstreams).join(
        channels, channels.c.id == upstreams.c.channel_id
    )
    rows = db.execute(query.order_by(channels.c.name, upstreams.c.kind, upstreams.c.position))
    return [(row.channel, _to_upstream(row)) for row in rows]


def _to_upstream(row: Row[Any]) -> Upstream:
    options = json.loads(row.options)
    return Upstream(
        row.channel_id,
        row.kind,
        row.url,
        bool(row.internal),
        tuple(json.loads(row.prefixes)),
        row.secret,
        tuple(options.get("files_at", ())),
        options.get("policy", ""),
        row.name,
        row.position,
        tuple(options.get("only", ())),
        options.get("max_age"),
    )


#: Maximum filenames in a query; SQLite allows 32,766 values.
_MAX_NAMES = 5000


def find_pins(
    db: Connection, channel_id: int, subdir: str, filenames: Sequence[str]
) -> dict[str, Pin]:
    """Return filename -> pin."""
    found = {}
    for start in range(0, len(filenames), _MAX_NAMES):
        names = filenames[start : start + _MAX_NAMES]
        values = {"channel_id": channel_id, "subdir": subdir, "filenames": names}
        found.update({row.filename: _to_pin(row) for row in db.execute(_PINS, values)})
    return found


def find_pin(db: Connection, channel_id: int, subdir: str, filename: str) -> Pin | None:
    """Return the pin of a file, or None."""
    values = {"channel_id": channel_id, "subdir": subdir, "filename": filename}
    row = db.execute(_PIN, values).first()
    return _to_pin(row) if row else None


def _to_pin(row: Row[Any]) -> Pin:
    return Pin(
        row.kind,
        row.subdir,
        row.filename,
        row.key,
        row.sha256,
        row.url,
        bool(row.wanted),
        row.yanked,
        row.refused,
        row.upstream,
    )


def list_pins_of(
    db: Connection, channel_id: int, key: str, only_refused: bool = False
) -> dict[str, Pin]:
    """Return filename -> pin of the files that a project's page (`key`) lists or listed."""
    query = select(upstream_pins).where(
        upstream_pins.c.channel_id == channel_id,
        upstream_pins.c.subdir == "",
        upstream_pins.c.key == key,
    )
    if only_refused:
        query = query.where(upstream_pins.c.refused.is_not(None))
    return {row.filename: _to_pin(row) for row in db.execute(query)}


def list_refused_pins(db: Connection, channel_id: int, limit: int) -> list[Pin]:
    """List the files of upstreams whose content was refused, by name."""
    query = select(upstream_pins).where(
        upstream_pins.c.channel_id == channel_id, upstream_pins.c.refused.is_not(None)
    )
    order = upstream_pins.c.key, upstream_pins.c.filename
    return [_to_pin(row) for row in db.execute(query.order_by(*order).limit(limit))]


def list_fetched_keys(db: Connection, channel_id: int) -> list[str]:
    """Return the projects (PyPI side) of which a file was fetched."""
    query = select(upstream_pins.c.key).where(
        upstream_pins.c.channel_id == channel_id,
        upstream_pins.c.kind == PYPI,
        upstream_pins.c.wanted,
    )
    return sorted(set(db.execute(query).scalars()))


def add_pins(db: Connection, channel_id: int, new: Iterable[Pin], at: datetime) -> None:
    """Add pins; existing pins stay unchanged."""
    rows = [
        {
            "channel_id": channel_id,
            "kind": pin.kind,
            "subdir": pin.subdir,
            "filename": pin.filename,
            "key": pin.key,
            "sha256": pin.sha256,
            "url": pin.url,
            "upstream": pin.upstream,
            "wanted": False,
            "seen_at": to_text(at),
        }
        # Sorted, or two processes could deadlock on each other's rows.
        for pin in sorted(new, key=lambda pin: pin.filename)
    ]
    insert_missing(db, upstream_pins, rows)


def update_pin(db: Connection, channel_id: int, pin: Pin, **values: Any) -> None:
    """Update columns of a pin."""
    db.execute(
        update(upstream_pins)
        .where(
            upstream_pins.c.channel_id == channel_id,
            upstream_pins.c.subdir == pin.subdir,
            upstream_pins.c.filename == pin.filename,
        )
        .values(**values)
    )
