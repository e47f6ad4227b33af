"""Who may read which channel, kept in the process until anything in the database changes.

The decision is that of `server.auth`, and it is kept with the version of the database at which it
was made: a revoked token, a role taken away, a channel made private count at the next request.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from twofold.errors import Refused
from twofold.server.auth import permissions
from twofold.server.context import Registry, require_channel
from twofold.server.model import ANONYMOUS, Action, Actor, Channel, Token
from twofold.server.store import Connection, upstreams
from twofold.server.store.fast_reads import (
    FILE,
    METADATA,
    PAGE,
    SHARD,
    Cache,
    CachedFile,
    RawQuery,
    Row,
    Version,
    open_reads,
)

_MISSING = object()

#: Parses a request's credentials: (secret, user). It may raise Refused.
ReadCredentials = Callable[[], tuple[str | None, str | None]]


@dataclass(frozen=True, slots=True)
class ReadableChannel:
    """A channel that a caller may read at a version of the database."""

    version: Version
    id: int
    public: bool
    redirects: bool
    is_proxied: bool
    expires_at: datetime | None
    token: Token | None = None


class FastReader:
    """Reads for the event loop's thread only.

    Of a channel with an upstream only its files and kept responses are read here. `key` identifies
    a request's credentials, b'' for none.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._reads = open_reads(registry.database)
        self._cache = Cache()

    async def find_channel(
        self, key: bytes, credentials: ReadCredentials, name: str
    ) -> ReadableChannel | None:
        """Return the channel if the caller may read it, checked now. None: use the normal route."""
        now = self._reads.version_now
        version = await self._reads.read_version() if now is None else now()
        self._cache.renew(version)
        found = self._cache.get((key, name), _MISSING)
        if found is _MISSING:
            found = await self._decide(version, key, credentials, name)
        if found is None or (
            found.expires_at is not None and found.expires_at <= self._registry.clock()
        ):
            return None
        channel: ReadableChannel = found
        if channel.token is not None:
            self._registry.note_token_use(channel.token.id, channel.token.used_at is not None)
        return channel

    async def _decide(
        self, version: Version, key: bytes, credentials: ReadCredentials, name: str
    ) -> ReadableChannel | None:
        known: Actor | None = self._cache.get(key) if key else ANONYMOUS
        at = self._registry.clock()
        decided_at, (actor, channel, is_proxied) = await self._reads.run(
            lambda db: _decide(db, known, credentials, name, at)
        )
        if decided_at != version:
            return None
        found = None if channel is None else _to_readable(version, channel, is_proxied, actor)
        if actor is not None:
            self._cache.put(version, key, actor)
            self._cache.put(version, (key, name), found)
        return found

    def remember(self, version: Version, key: bytes, actor: Actor) -> None:
        """Keep the caller of a password that the normal route found right after that version."""
        self._cache.put(version, key, actor)

    @property
    def version(self) -> Version | None:
        """The version that was read last."""
        return self._cache.version

    async def read_page(self, channel: ReadableChannel, page_key: str) -> Row | None:
        """Return (body, etag, serial) of a page."""
        return await self._read(channel, PAGE, key=page_key)

    async def read_file(
        self, channel: ReadableChannel, subdir: str, filename: str
    ) -> CachedFile | None:
        """Return the hash and size of a file that is served."""
        row = await self._read(channel, FILE, subdir=subdir, filename=filename)
        return None if row is None else CachedFile(row[0], row[1], row[2] is not None, row[3])

    async def read_metadata(
        self, channel: ReadableChannel, filename: str
    ) -> tuple[str, bytes] | None:
        """Return the hash and METADATA of a wheel that is served."""
        row = await self._read(channel, METADATA, subdir="", filename=filename)
        return None if row is None else (row[0], row[1])

    async def read_shard(self, channel: ReadableChannel, sha256: str) -> bytes | None:
        """Return a shard."""
        row = await self._read(channel, SHARD, sha256=sha256)
        return None if row is None else row[0]

    async def _read(self, channel: ReadableChannel, query: RawQuery, **values: str) -> Row | None:
        key = (channel.id, query, *values.values())
        row: Row | None = self._cache.get(key, _MISSING)
        if row is not _MISSING:
            return row
        version, row = await self._reads.fetch(query, channel_id=channel.id, **values)
        if version != channel.version:
            return None  # changed meanwhile: what was decided about the channel may hold no more
        if row is not None:
            self._cache.put(version, key, row, sum(len(v) for v in row if isinstance(v, bytes)))
        return row

    def get_response(self, channel: ReadableChannel, key: tuple[str, str]) -> Any:
        """Return a response that was kept, or None."""
        return self._cache.get((channel.id, "response", *key))

    async def keep_response(
        self, channel: ReadableChannel, key: tuple[str, str], response: object, size: int
    ) -> None:
        """Keep a response of the normal route, unless anything changed since it began."""
        version = await self._reads.read_version()
        if version == channel.version:
            self.put_response(channel, key, response, size)

    def put_response(
        self, channel: ReadableChannel, key: tuple[str, str], response: object, size: int
    ) -> None:
        """Keep a response made of what was read at the channel's version."""
        self._cache.put(channel.version, (channel.id, "response", *key), response, size)


def _decide(
    db: Connection, known: Actor | None, credentials: ReadCredentials, name: str, at: datetime
) -> tuple[Actor | None, Channel | None, bool]:
    """Return the caller, the channel if it may be read, and whether it has an upstream."""
    try:
        actor = known if known is not None else _identify(db, credentials, at)
    except Refused:
        return None, None, False
    if actor is None:
        return None, None, False
    try:
        channel = require_channel(db, actor, name, Action.READ)
    except Refused:
        return actor, None, False
    return actor, channel, upstreams.has_upstream(db, channel.id)


def _identify(db: Connection, credentials: ReadCredentials, at: datetime) -> Actor | None:
    """Return the caller; None for a password, which takes too long to check here."""
    secret, user = credentials()
    if permissions.is_password(secret, user):
        return None
    return permissions.identify(db, secret, user, at)


def _to_readable(
    version: Version, channel: Channel, is_proxied: bool, actor: Actor | None
) -> ReadableChannel:
    token = actor.token if actor is not None else None
    return ReadableChannel(
        version,
        channel.id,
        channel.public,
        bool(channel.settings.get("redirect")),
        is_proxied,
        token.expires_at if token is not None else None,
        token,
    )
