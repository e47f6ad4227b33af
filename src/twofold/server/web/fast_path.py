"""The front: counts and logs every request, and answers the commonest ones at once.

A project's page, a file, a package: for an anonymous reader of a public channel on SQLite these
need no routing and no thread. Whatever is not plainly that takes the way round through the
application, which answers the same, only slower.
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
from twofold.server.metrics import Metrics
from twofold.server.pages.page_updates import MAIN, simple_page_key
from twofold.server.registry.queries import CachedFile, FastReader, open_fast_reader
from twofold.server.web.file_responses import IMMUTABLE, MAX_BUFFERED
from twofold.server.web.pypi import negotiate

log = logging.getLogger("twofold.server")

#: Headers with which a request is not plain.
_NOT_PLAIN = {b"authorization", b"x-api-key", b"range", b"if-range"}

#: How much of an address is logged (characters): no client can fill the log with one request.
MAX_LOGGED_PATH = 500

#: A token in an address: conda's, and ours wherever somebody put it.
_TOKEN = re.compile(r"(?<=/t/)[^/]*|twofold-[A-Za-z0-9]+")

_negotiated = lru_cache(maxsize=256)(negotiate)

_FILE_HEADERS = [
    (b"accept-ranges", b"bytes"),
    (b"content-type", b"application/octet-stream"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox"),
]

RawResponse = tuple[int, list[tuple[bytes, bytes]], bytes]


class FastPath:
    """The outermost application. `log_reads` logs reads too, not only changes and failures."""

    def __init__(
        self, app: ASGIApp, registry: Registry, metrics: Metrics, log_reads: bool = False
    ) -> None:
        self.app = app
        self.registry = registry
        self.metrics = metrics
        self.log_reads = log_reads
        self._reader: FastReader | None = None
        self._begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        begun = time.perf_counter()
        answer = self._at_once(scope) if scope["method"] in ("GET", "HEAD") else None
        if answer is None:
            await self._way_round(scope, receive, send, begun)
            return
        status, headers, body = answer
        await send({"type": "http.response.start", "status": status, "headers": headers})
        body = b"" if scope["method"] == "HEAD" else body
        await send({"type": "http.response.body", "body": body})
        self._seen(scope, status, begun, len(body))

    async def _way_round(self, scope: Scope, receive: Receive, send: Send, begun: float) -> None:
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
            self._seen(scope, status, begun, sent)

    def _seen(self, scope: Scope, status: int, begun: float, sent: int) -> None:
        seconds, method = time.perf_counter() - begun, scope["method"]
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

    def _at_once(self, scope: Scope) -> RawResponse | None:
        """The answer to a plain request; None for every other one."""
        if not self._begun:
            self._begun = True
            self._reader = open_fast_reader(self.registry)
        if self._reader is None or scope["query_string"]:
            return None
        accept, held = "", b""
        for name, value in scope["headers"]:
            if name in _NOT_PLAIN:
                return None
            if name == b"accept":
                accept = value.decode("latin-1")
            elif name == b"if-none-match":
                held = value
        words = scope["path"].split("/")
        if len(words) == 5 and words[2] == "simple" and not words[4]:
            return self._page(self._reader, words[1], words[3], accept, held)
        if len(words) == 5 and words[2] == "files":
            return self._file(self._reader, words[1], "", words[4], words[3], held)
        if len(words) == 4 and words[3].endswith((".conda", ".tar.bz2")):
            return self._file(self._reader, words[1], words[2], words[3], "", held)
        return None

    def _page(
        self, reader: FastReader, channel: str, name: str, accept: str, held: bytes
    ) -> RawResponse | None:
        media, form = _negotiated(accept)
        found = reader.read_page(channel, simple_page_key(MAIN, form, name))
        if found is None:
            return None
        body, etag = found
        headers = [
            (b"etag", etag.encode()),
            (b"cache-control", b"public, no-cache"),
            (b"vary", b"Accept"),
            (b"x-content-type-options", b"nosniff"),
        ]
        if held:
            return (304, headers, b"") if held == etag.encode() else None
        kind = f"{media}; charset=utf-8" if media == "text/html" else media
        headers += [
            (b"content-type", kind.encode()),
            (b"content-length", b"%d" % len(body)),
        ]
        return 200, headers, body

    def _file(
        self, reader: FastReader, channel: str, subdir: str, name: str, sha256: str, held: bytes
    ) -> RawResponse | None:
        found = reader.read_file(channel, subdir, name)
        if found is None or held or found.size > MAX_BUFFERED or sha256 not in ("", found.sha256):
            return None
        try:
            body = self.registry.blobs.read(found.sha256)
        except (OSError, TwofoldError):
            return None  # the way round tells what is wrong
        return 200, self._file_headers(found, name, len(body)), body

    def _file_headers(self, file: CachedFile, name: str, size: int) -> list[tuple[bytes, bytes]]:
        return [
            *_FILE_HEADERS,
            (b"etag", f'"{file.sha256}"'.encode()),
            (b"cache-control", f"public, {IMMUTABLE}".encode()),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
            (b"content-length", b"%d" % size),
        ]
