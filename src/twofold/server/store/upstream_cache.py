"""Cached responses of upstreams, by upstream and key (`proxy.metadata_cache` says which keys)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, func, select, update

from twofold.server.model import from_text, to_text
from twofold.server.store.schema import upstream_pages
from twofold.server.store.tables.inserts import upsert
from twofold.server.store.upstreams import PYPI, Upstream

#: A time before every other.
_LONG_AGO = to_text(datetime(1970, 1, 1, tzinfo=UTC))

#: The most bytes of a cached project without files.
_EMPTY = 60

_CACHED = select(upstream_pages).where(
    *(upstream_pages.c[key] == bindparam(key) for key in ("channel_id", "kind", "upstream", "key"))
)


@dataclass(frozen=True, slots=True)
class CachedResponse:
    """A cached response of an upstream, and when it was last revalidated.

    `validator` is its ETag or Last-Modified; '' if it has none.
    """

    body: bytes
    digest: str
    checked_at: datetime
    validator: str = ""


def cached_response(db: Connection, upstream: Upstream, key: str) -> CachedResponse | None:
    """Return the cached response for a key, or None."""
    values = {"channel_id": upstream.channel_id, "kind": upstream.kind, "key": key}
    row = db.execute(_CACHED, {**values, "upstream": upstream.name}).first()
    if row is None:
        return None
    return CachedResponse(bytes(row.body), row.digest, from_text(row.checked_at), row.validator)


def search_projects(db: Connection, channel_id: int, text: str, limit: int) -> list[str]:
    """Return the keys of cached projects of indexes that have files and contain a text."""
    query = (
        select(upstream_pages.c.key)
        .where(
            upstream_pages.c.channel_id == channel_id,
            upstream_pages.c.kind == PYPI,
            upstream_pages.c.key.contains(text, autoescape=True),
            upstream_pages.c.key.not_like("%.metadata"),
            func.length(upstream_pages.c.body) > _EMPTY,
        )
        .order_by(upstream_pages.c.key)
        .limit(limit)
    )
    return list(dict.fromkeys(db.execute(query).scalars()))


def list_indexes(db: Connection, upstream: Upstream) -> dict[str, CachedResponse]:
    """Return subdir -> the cached index of a conda upstream: with `/` its shard index."""
    of_upstream = (
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.upstream == upstream.name,
    )
    is_shard = upstream_pages.c.key.like("%/_%")
    query = select(upstream_pages).where(*of_upstream, ~is_shard).order_by(upstream_pages.c.key)
    return {
        row.key: CachedResponse(
            bytes(row.body), row.digest, from_text(row.checked_at), row.validator
        )
        for row in db.execute(query)
    }


def expire_responses(db: Connection, channel_id: int, keys: Sequence[str]) -> int:
    """Let cached responses be revalidated at the next request: of some keys, or of all (none).

    Returns how many these are. METADATA never changes.
    """
    query = update(upstream_pages).where(
        upstream_pages.c.channel_id == channel_id, upstream_pages.c.key.not_like("%.metadata")
    )
    if keys:
        query = query.where(upstream_pages.c.key.in_(list(keys)))
    return int(db.execute(query.values(checked_at=_LONG_AGO)).rowcount)


def changed_shards(db: Connection, upstream: Upstream, prefix: str) -> dict[str, tuple[str, str]]:
    """Return key -> (digest, validator) of cached shards that were modified before saving."""
    query = select(upstream_pages.c.key, upstream_pages.c.digest, upstream_pages.c.validator).where(
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.upstream == upstream.name,
        upstream_pages.c.key.startswith(prefix, autoescape=True),
        upstream_pages.c.key != prefix,
        upstream_pages.c.validator != "",
    )
    return {row.key: (row.digest, row.validator) for row in db.execute(query)}


def save_response(db: Connection, upstream: Upstream, key: str, response: CachedResponse) -> None:
    """Insert or replace a cached response."""
    where = {
        "channel_id": upstream.channel_id,
        "kind": upstream.kind,
        "upstream": upstream.name,
        "key": key,
    }
    values = {
        "body": response.body,
        "digest": response.digest,
        "checked_at": to_text(response.checked_at),
        "validator": response.validator,
    }
    upsert(db, upstream_pages, where, values)


def touch_response(db: Connection, upstream: Upstream, key: str, at: datetime) -> None:
    """Record that a cached response was revalidated at a time."""
    query = update(upstream_pages).where(
        upstream_pages.c.channel_id == upstream.channel_id,
        upstream_pages.c.kind == upstream.kind,
        upstream_pages.c.upstream == upstream.name,
        upstream_pages.c.key == key,
    )
    db.execute(query.values(checked_at=to_text(at)))
