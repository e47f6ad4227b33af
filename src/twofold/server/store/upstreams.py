"""Upstreams of channels, their cached responses and the pinned hashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, delete, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from twofold.server.model import from_text, to_text
from twofold.server.store.schema import (
    channels,
    upstream_pages,
    upstream_pins,
    upstreams,
)

#: Kinds of upstream: a PyPI-style index, or a conda channel.
PYPI, CONDA = "pypi", "conda"


@dataclass(frozen=True, slots=True)
class Upstream:
    """An upstream of a channel: an index (`pypi`) or a channel (`conda`).

    `internal`: the operator allowed a URL that is not public. `prefixes`: normalised names and
    name prefixes that are never requested from it. `secret`: its credentials, or ''. `files_at`:
    hosts (or host:port) beside it from which the operator allowed files, though not public.
    `policy`: the conditions on its files (`proxy.policy`, JSON), or ''.
    """

    channel_id: int
    kind: str
    url: str
    internal: bool = False
    prefixes: tuple[str, ...] = ()
    secret: str = field(default="", repr=False)
    files_at: tuple[str, ...] = ()
    policy: str = ""


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A cached response of an upstream, and when it was last revalidated.

    `validator` is its ETag or Last-Modified; '' if it has none.
    """

    body: bytes
    digest: str
    checked_at: datetime
    validator: str = ""


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


def set_upstream(db: Connection, upstream: Upstream, at: datetime) -> None:
    """Add an upstream, or replace the one of its kind."""
    remove_upstream(db, upstream.channel_id, upstream.kind)
    db.execute(
        insert(upstreams).values(
            channel_id=upstream.channel_id,
            kind=upstream.kind,
            url=upstream.url,
            internal=upstream.internal,
            prefixes=json.dumps(upstream.prefixes),
            secret=upstream.secret,
            options=_serialize_options(upstream),
            created_at=to_text(at),
        )
    )


def set_policy(db: Connection, upstream: Upstream) -> None:
    """Store the upstream's policy."""
    here = (upstreams.c.channel_id == upstream.channel_id) & (upstreams.c.kind == upstream.kind)
    db.execute(update(upstreams).where(here).values(options=_serialize_options(upstream)))


def _serialize_options(upstream: Upstream) -> str:
    options = {"files_at": upstream.files_at, "policy": upstream.policy}
    return json.dumps({name: value for name, value in options.items() if value})


def remove_upstream(db: Connection, channel_id: int, kind: str) -> bool:
    """Remove an upstream; returns False if there was none. Pinned hashes stay."""
    for table in (upstream_pages, upstreams):
        done = db.execute(
            delete(table).where(table.c.channel_id == channel_id, table.c.kind == kind)
        )
    return bool(done.rowcount)


def find_upstream(db: Connection, channel_id: int, kind: str) -> Upstream | None:
    """Return a channel's upstream of a kind, or None."""
    query = select(upstreams).where(upstreams.c.channel_id == channel_id, upstreams.c.kind == kind)
    row = db.execute(query).first()
    return _to_upstream(row) if row else None


def list_upstreams(db: Connection) -> list[tuple[str, Upstream]]:
    """List (channel name, upstream) pairs."""
    query = select(channels.c.name, upstreams).join(
        channels, channels.c.id == upstreams.c.channel_id
    )
    rows = db.execute(query.order_by(channels.c.name, upstreams.c.kind))
    return [(row.name, _to_upstream(row)) for row in rows]


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
    )


def cached_response(db: Connection, upstream: Upstream, key: str) -> CachedResponse | None:
    """Return the cached response for a key, or None."""
    query = select(upstream_pages).where(
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.key == key,
    )
    row = db.execute(query).first()
    if row is None:
        return None
    return CachedResponse(bytes(row.body), row.digest, from_text(row.checked_at), row.validator)


def changed_shards(db: Connection, upstream: Upstream, prefix: str) -> dict[str, tuple[str, str]]:
    """Return key -> (digest, validator) of cached shards that were modified before saving."""
    query = select(upstream_pages.c.key, upstream_pages.c.digest, upstream_pages.c.validator).where(
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.key.startswith(prefix, autoescape=True),
        upstream_pages.c.key != prefix,
        upstream_pages.c.validator != "",
    )
    return {row.key: (row.digest, row.validator) for row in db.execute(query)}


def save_response(db: Connection, upstream: Upstream, key: str, response: CachedResponse) -> None:
    """Insert or replace a cached response."""
    where = {"channel_id": upstream.channel_id, "kind": upstream.kind, "key": key}
    values = {
        "body": response.body,
        "digest": response.digest,
        "checked_at": to_text(response.checked_at),
        "validator": response.validator,
    }
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    new = dialect.insert(upstream_pages).values(**where, **values)
    db.execute(new.on_conflict_do_update(index_elements=list(where), set_=values))


def touch_response(db: Connection, upstream: Upstream, key: str, at: datetime) -> None:
    """Record that a cached response was revalidated at a time."""
    query = update(upstream_pages).where(
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.key == key,
    )
    db.execute(query.values(checked_at=to_text(at)))


#: Maximum filenames in a query; SQLite allows 32,766 values.
_MAX_NAMES = 5000


def find_pins(
    db: Connection, channel_id: int, subdir: str, filenames: Sequence[str]
) -> dict[str, Pin]:
    """Return filename -> pin."""
    found = {}
    for start in range(0, len(filenames), _MAX_NAMES):
        query = select(upstream_pins).where(
            upstream_pins.c.channel_id == channel_id,
            upstream_pins.c.subdir == subdir,
            upstream_pins.c.filename.in_(filenames[start : start + _MAX_NAMES]),
        )
        found.update({row.filename: _to_pin(row) for row in db.execute(query)})
    return found


def find_pin(db: Connection, channel_id: int, subdir: str, filename: str) -> Pin | None:
    """Return the pin of a file, or None."""
    query = select(upstream_pins).where(
        upstream_pins.c.channel_id == channel_id,
        upstream_pins.c.subdir == subdir,
        upstream_pins.c.filename == filename,
    )
    row = db.execute(query).first()
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
    )


def list_pins_of(db: Connection, channel_id: int, key: str) -> dict[str, Pin]:
    """Return filename -> pin of the files that a project's page (`key`) lists or listed."""
    query = select(upstream_pins).where(
        upstream_pins.c.channel_id == channel_id,
        upstream_pins.c.subdir == "",
        upstream_pins.c.key == key,
    )
    return {row.filename: _to_pin(row) for row in db.execute(query)}


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
            "wanted": False,
            "seen_at": to_text(at),
        }
        # Sorted, or two processes could deadlock on each other's rows.
        for pin in sorted(new, key=lambda pin: pin.filename)
    ]
    dialect = sqlite if db.dialect.name == "sqlite" else postgresql
    if rows:
        db.execute(dialect.insert(upstream_pins).on_conflict_do_nothing(), rows)


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
