"""Builds the responses of the fast path: pages, files, METADATA, shards and repeated responses."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache

from starlette.types import Scope

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.pages.page_updates import MAIN, simple_page_key
from twofold.server.registry.fast_reader import FastReader, ReadableChannel
from twofold.server.web.credentials import TOKEN_IN_PATH, is_plain_path, parse_credentials
from twofold.server.web.file_responses import (
    IMMUTABLE,
    MAX_BUFFERED,
    NOT_KEPT,
    cache_control,
    make_file_headers,
    names_etag,
)
from twofold.server.web.pypi import LAST_SERIAL, negotiate
from twofold.server.web.session_cookie import SESSION_COOKIE

#: Headers that the fast path does not handle.
_SLOW_PATH_HEADERS = {b"range", b"if-range"}

#: A session is looked up by the normal route, and what it may read is kept for nobody else.
_SESSION = SESSION_COOKIE.encode()

#: Headers that it reads.
_READ_HEADERS = (b"accept", b"if-none-match", b"authorization", b"x-api-key", b"user-agent")

#: The largest response that is kept to be repeated (bytes).
MAX_REPEATED = 32 << 20

#: Headers of a whole body, which 304 does not have.
_BODY_HEADERS = {b"content-length", b"content-type"}

_negotiate_cached = lru_cache(maxsize=256)(negotiate)

Headers = list[tuple[bytes, bytes]]
RawResponse = tuple[int, Headers, bytes]


@dataclass(frozen=True, slots=True)
class KeptResponse:
    """A response of the normal route; `until` is when an upstream is to be asked again."""

    headers: Headers
    body: bytes = field(repr=False)
    until: datetime | None = None


@dataclass(slots=True)
class ReadRequest:
    """A request for something of a channel, as far as the fast path reads it.

    `words` is the path after channel and label; `key` identifies the response within the channel;
    `channel_read` and `version` are what was known before the normal route began.
    """

    is_get: bool
    path: str
    channel: str
    label: str
    words: list[str]
    credentials: bytes
    secrets: tuple[str, str, str] = field(repr=False)
    accept: str
    if_none_match: str
    agent: str
    key: tuple[str, str]
    channel_read: ReadableChannel | None = None
    version: int | bytes | None = None


def parse_request(scope: Scope) -> ReadRequest | None:
    """Parse a request; None where only the normal route can answer."""
    path = scope["path"]
    if scope["query_string"] or not is_plain_path(path):
        return None
    sent = dict.fromkeys(_READ_HEADERS, b"")
    for name, value in scope["headers"]:
        if name in sent:
            if sent[name]:  # written twice: the normal route reads the first one
                return None
            sent[name] = value
        elif name in _SLOW_PATH_HEADERS or (name == b"cookie" and _SESSION in value):
            return None
    accept, if_none_match, authorization, api_key, agent = (
        value.decode("latin-1") for value in sent.values()
    )
    token = ""
    if path.startswith("/t/"):
        found = TOKEN_IN_PATH.fullmatch(path)
        if found is None:
            return None
        token, path = found[1], found[2]
    _, channel, *words = path.split("/")
    label = MAIN
    if len(words) > 2 and words[0] == "label":
        label, words = words[1], words[2:]
    if not words:
        return None
    secrets = (token, api_key, authorization)
    key = hashlib.sha256("\0".join(secrets).encode()).digest() if any(secrets) else b""
    return ReadRequest(
        scope["method"] == "GET",
        path,
        channel,
        label,
        words,
        key,
        secrets,
        accept,
        if_none_match,
        agent,
        (path, _negotiate_cached(accept)[0]),
    )


class FastResponder:
    """Responds to requests of readers whose permission is known."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.reader = FastReader(registry)

    async def respond(self, request: ReadRequest) -> RawResponse | None:
        """Return the response; None where only the normal route can answer."""
        reader = self.reader
        try:
            channel = await reader.find_channel(
                request.credentials, lambda: parse_credentials(*request.secrets), request.channel
            )
            request.version = reader.version
            if channel is None:
                return None
            request.channel_read = channel
            kept = self._repeat(request, channel)
            return kept or await self._read(request, channel)
        except (OSError, TwofoldError):
            return None  # the application reports the error

    async def _read(self, request: ReadRequest, channel: ReadableChannel) -> RawResponse | None:
        """Read what no response is kept of; keep the response, but for files."""
        match request.words:
            case ["files", sha256, name] if not name.endswith(".metadata"):
                return await self._file(request, channel, ("", name), sha256)
            case [subdir, name] if name.endswith((".conda", ".tar.bz2")):
                return await self._file(request, channel, (subdir, name), "")
            case ["simple", name, ""] if not channel.is_proxied:
                response = await self._page(request, channel, name)
            case ["files", sha256, name]:
                response = await self._metadata(channel, sha256, name)
            case [_, "shards", name] if name.endswith(".msgpack.zst"):
                response = await self._shard(request, channel, name)
            case _:
                return None
        if response is not None and response[0] == 200:
            _, headers, body = response
            kept = KeptResponse(headers, body)
            self.reader.put_response(channel, request.key, kept, len(body))
        return response

    async def _page(
        self, request: ReadRequest, channel: ReadableChannel, name: str
    ) -> RawResponse | None:
        media, form = _negotiate_cached(request.accept)
        found = await self.reader.read_page(channel, simple_page_key(request.label, form, name))
        if found is None:
            return None
        body, etag, serial = found
        headers = [
            (LAST_SERIAL.encode(), b"%d" % serial),
            (b"etag", etag.encode()),
            (b"cache-control", _cache_control(channel.public, "no-cache")),
            (b"vary", b"Accept"),
            (b"x-content-type-options", b"nosniff"),
        ]
        kind = f"{media}; charset=utf-8" if media == "text/html" else media
        return _respond(request, headers, etag, body, kind)

    async def _file(
        self,
        request: ReadRequest,
        channel: ReadableChannel,
        place: tuple[str, str],
        sha256: str,
    ) -> RawResponse | None:
        subdir, name = place
        found = await self.reader.read_file(channel, subdir, name)
        if found is None or sha256 not in ("", found.sha256):
            return None
        etag = f'"{found.sha256}"'
        headers = _make_file_headers(etag, name, channel.public, found.is_converted)
        if request.if_none_match and names_etag(request.if_none_match, etag):
            return 304, headers, b""
        counter, database = self.registry.download_counter, self.registry.database
        if channel.redirects and request.is_get and (url := self.registry.blobs.sign(found.sha256)):
            counter.count(database, found.id, request.agent)
            return 307, [(b"location", url.encode()), _NOT_KEPT, (b"content-length", b"0")], b""
        if found.size > MAX_BUFFERED:
            return None
        body = await self.registry.blobs.read_soon(found.sha256)
        if request.is_get:
            counter.count(database, found.id, request.agent)
        length = (b"content-length", b"%d" % len(body))
        return 200, [*headers, length], body

    async def _metadata(
        self, channel: ReadableChannel, sha256: str, name: str
    ) -> RawResponse | None:
        found = await self.reader.read_metadata(channel, name.removesuffix(".metadata"))
        if found is None or found[0] != sha256:
            return None
        headers = [
            (b"cache-control", _cache_control(channel.public, IMMUTABLE)),
            (b"x-content-type-options", b"nosniff"),
            (b"content-security-policy", b"sandbox"),
            (b"content-type", b"application/octet-stream"),
            (b"content-length", b"%d" % len(found[1])),
        ]
        return 200, headers, found[1]

    async def _shard(
        self, request: ReadRequest, channel: ReadableChannel, name: str
    ) -> RawResponse | None:
        sha256 = name.removesuffix(".msgpack.zst")
        body = await self.reader.read_shard(channel, sha256)
        if body is None:
            return None
        etag = f'"{sha256}"'
        headers = [
            (b"etag", etag.encode()),
            (b"cache-control", _cache_control(channel.public, IMMUTABLE)),
            (b"x-content-type-options", b"nosniff"),
        ]
        return _respond(request, headers, etag, body, "application/zstd")

    def _repeat(self, request: ReadRequest, channel: ReadableChannel) -> RawResponse | None:
        kept: KeptResponse | None = self.reader.get_response(channel, request.key)
        if kept is None or (kept.until is not None and kept.until <= self.registry.clock()):
            return None
        headers, body = kept.headers, kept.body
        if request.if_none_match:
            etag = dict(headers).get(b"etag", b"").decode("latin-1")
            if names_etag(request.if_none_match, etag):
                return 304, [pair for pair in headers if pair[0] not in _BODY_HEADERS], b""
        return 200, headers, body


_NOT_KEPT = (b"cache-control", NOT_KEPT.encode())


def _respond(
    request: ReadRequest, headers: Headers, etag: str, body: bytes, kind: str
) -> RawResponse:
    """Return 200 with a whole body, or 304 for a client that has it."""
    if request.if_none_match and names_etag(request.if_none_match, etag):
        return 304, headers, b""
    length = (b"content-length", b"%d" % len(body))
    return 200, [*headers, (b"content-type", kind.encode()), length], body


@lru_cache(maxsize=8)
def _cache_control(public: bool, value: str) -> bytes:
    return cache_control(public, value).encode()


@lru_cache(maxsize=4096)
def _make_file_headers(etag: str, name: str, public: bool, is_converted: bool) -> Headers:
    """Return the headers of a file's response, made once for each file."""
    headers = {"etag": etag, **make_file_headers(name, public, is_converted)}
    return [(key.encode(), value.encode("latin-1")) for key, value in headers.items()]
