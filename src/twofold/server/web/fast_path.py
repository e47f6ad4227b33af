"""Fast path: counts and logs every request, and serves the most common reads directly.

A project's page, a file, a package: for an anonymous reader of a public channel on SQLite these
need no routing and no thread. All other requests go through the application, which gives the
same responses, only slower.
"""

from __future__ import annotations

import json
import logging
import re
import time
from functools import lru_cache

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.pages.page_updates import MAIN, simple_page_key
from twofold.server.registry.queries import CachedFile, FastReader, open_fast_reader
from twofold.server.web.file_responses import IMMUTABLE, MAX_BUFFERED
from twofold.server.web.origin import PublicUrl
from twofold.server.web.pypi import LAST_SERIAL, negotiate
from twofold.server.web.status import Metrics

log = logging.getLogger("twofold.server")

#: Headers that the fast path does not handle.
_SLOW_PATH_HEADERS = {b"authorization", b"x-api-key", b"range", b"if-range"}

#: Maximum length of a logged path (characters): no client can fill the log with one request.
MAX_LOGGED_PATH = 500

#: A token in a path: conda's `/t/TOKEN`, and twofold's anywhere.
_TOKEN = re.compile(r"(?<=/t/)[^/]*|twofold-[A-Za-z0-9]+")

_negotiate_cached = lru_cache(maxsize=256)(negotiate)

_FILE_HEADERS = [
    (b"accept-ranges", b"bytes"),
    (b"content-type", b"application/octet-stream"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
]

RawResponse = tuple[int, list[tuple[bytes, bytes]], bytes]


class FastPath:
    """The outermost ASGI application. `log_reads` logs reads too, not only changes and failures."""

    def __init__(
        self,
        app: ASGIApp,
        registry: Registry,
        metrics: Metrics,
        log_reads: bool = False,
        public_url: PublicUrl | None = None,
    ) -> None:
        self.app = app
        self.registry = registry
        self.metrics = metrics
        self.log_reads = log_reads
        self.public_url = public_url
        self._reader: FastReader | None = None
        self._reader_opened = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request and record it in the metrics and the log."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if self.public_url is not None:
            scope = self.public_url.apply(scope)
        started = time.perf_counter()
        response = self._respond_fast(scope) if scope["method"] in ("GET", "HEAD") else None
        if response is None:
            await self._forward(scope, receive, send, started)
            return
        status, headers, body = response
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})
        self._record(scope, status, started, len(body))

    async def _forward(self, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        status, sent = 500, 0

        async def watched(message: Message) -> None:
            nonlocal status, sent
            if message["type"] == "http.response.start":
                status = message["status"]
            else:
                sent += len(message.get("body", b""))
            await send(message)

        self.metrics.in_progress += 1
        try:
            await self.app(scope, receive, watched)
        finally:
            self.metrics.in_progress -= 1
            self._record(scope, status, started, sent)

    def _record(self, scope: Scope, status: int, started: float, sent: int) -> None:
        seconds, method = time.perf_counter() - started, scope["method"]
        self.metrics.observe(method, status, seconds, sent)
        if self.log_reads or status >= 500 or method not in ("GET", "HEAD"):
            entry = {
                "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
                "client": scope["client"][0] if scope.get("client") else None,
                "method": method,
                "path": _TOKEN.sub("***", scope["path"])[:MAX_LOGGED_PATH],
                "status": status,
                "ms": round(seconds * 1000, 1),
                "sent": sent,
            }
            log.info(json.dumps(entry))

    def _respond_fast(self, scope: Scope) -> RawResponse | None:
        """Return the response to a plain request, or None for any other."""
        if not self._reader_opened:
            self._reader_opened = True
            self._reader = open_fast_reader(self.registry)
        if self._reader is None or scope["query_string"]:
            return None
        accept, if_none_match = "", b""
        for name, value in scope["headers"]:
            if name in _SLOW_PATH_HEADERS:
                return None
            if name == b"accept":
                accept = value.decode("latin-1")
            elif name == b"if-none-match":
                if_none_match = value
        segments = scope["path"].split("/")
        if len(segments) == 5 and segments[2] == "simple" and not segments[4]:
            return self._respond_with_page(
                self._reader, segments[1], segments[3], accept, if_none_match
            )
        if len(segments) == 5 and segments[2] == "files":
            return self._respond_with_file(
                self._reader, segments[1], "", segments[4], segments[3], if_none_match
            )
        if len(segments) == 4 and segments[3].endswith((".conda", ".tar.bz2")):
            return self._respond_with_file(
                self._reader, segments[1], segments[2], segments[3], "", if_none_match
            )
        return None

    def _respond_with_page(
        self, reader: FastReader, channel: str, name: str, accept: str, if_none_match: bytes
    ) -> RawResponse | None:
        media, form = _negotiate_cached(accept)
        found = reader.read_page(channel, simple_page_key(MAIN, form, name))
        if found is None:
            return None
        body, etag, serial = found
        headers = [
            (LAST_SERIAL.encode(), b"%d" % serial),
            (b"etag", etag.encode()),
            (b"cache-control", b"public, no-cache"),
            (b"vary", b"Accept"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if if_none_match:
            return (304, headers, b"") if if_none_match == etag.encode() else None
        kind = f"{media}; charset=utf-8" if media == "text/html" else media
        headers += [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        return 200, headers, body

    def _respond_with_file(
        self,
        reader: FastReader,
        channel: str,
        subdir: str,
        name: str,
        sha256: str,
        if_none_match: bytes,
    ) -> RawResponse | None:
        found = reader.read_file(channel, subdir, name)
        if (
            found is None
            or if_none_match
            or found.size > MAX_BUFFERED
            or sha256 not in ("", found.sha256)
        ):
            return None
        try:
            body = self.registry.blobs.read(found.sha256)
        except (OSError, TwofoldError):
            return None  # the application reports the error
        return 200, self._make_file_headers(found, name, len(body)), body

    def _make_file_headers(
        self, file: CachedFile, name: str, size: int
    ) -> list[tuple[bytes, bytes]]:
        return [
            *_FILE_HEADERS,
            (b"etag", f'"{file.sha256}"'.encode()),
            (b"cache-control", f"public, {IMMUTABLE}".encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"content-length", b"%d" % size),
        ]
