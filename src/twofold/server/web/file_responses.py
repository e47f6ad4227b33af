"""Responses with pages (ETag) and files (ETag, Range)."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from starlette.concurrency import iterate_in_threadpool, run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Send

from twofold.errors import TwofoldError
from twofold.server.context import Registry
from twofold.server.model import Page
from twofold.server.proxy.fetch import Download
from twofold.server.registry.queries import ReadableFile
from twofold.server.web.error_responses import problem_response

log = logging.getLogger("twofold.server")

#: Files up to this size are read into memory; larger ones are streamed (bytes).
MAX_BUFFERED = 1 << 20

IMMUTABLE = "max-age=31536000, immutable"

#: Cache-Control of a redirect to a signed address, which ends soon and serves whoever has it.
NOT_KEPT = "private, no-store"


def cache_control(public: bool, value: str) -> str:
    """Return the Cache-Control value of a public or private response."""
    return f"{'public' if public else 'private'}, {value}"


def is_unchanged(request: Request, etag: str) -> bool:
    """Return whether the client has this version (RFC 9110, If-None-Match, weak comparison)."""
    header = request.headers.get("if-none-match")
    return header is not None and names_etag(header, etag)


def names_etag(header: str, etag: str) -> bool:
    """Whether the value of If-None-Match names this version."""
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return "*" in tags or etag in tags


#: Key of a request's scope: a list that a view fills when its response depends on nothing but the
#: database and the path, so that it can be repeated until the database changes.
REPEATABLE = "twofold.repeatable"


def mark_repeatable(request: Request, until: datetime | None = None) -> None:
    """Allow the fast path to repeat this response to every reader of the channel.

    Until the database changes, and no longer than to the given time.
    """
    request.scope.get(REPEATABLE, []).append(until)


def send_page(
    request: Request,
    page: Page,
    media: str,
    public: bool,
    headers: Mapping[str, str] | None = None,
    freshness: str = "no-cache",
) -> Response:
    """Send a page, or 304 with the same strong ETag. 'no-cache' means: revalidate each time."""
    own = {"etag": page.etag, "cache-control": cache_control(public, freshness), **(headers or {})}
    own["x-content-type-options"] = "nosniff"
    if is_unchanged(request, page.etag):
        return Response(None, 304, own)
    return Response(page.body, 200, own, media)


def is_plain_get(request: Request) -> bool:
    """Whether a request is for a whole file, whatever the client has."""
    conditions = ("range", "if-range", "if-none-match")
    return request.method == "GET" and not any(name in request.headers for name in conditions)


def make_file_headers(filename: str, public: bool, is_converted: bool = False) -> dict[str, str]:
    """Return the headers of a file's response; its author's package may replace a converted one."""
    return {
        "cache-control": cache_control(public, "no-cache" if is_converted else IMMUTABLE),
        "accept-ranges": "bytes",
        "content-type": "application/octet-stream",
        "content-disposition": f'attachment; filename="{filename}"',
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }


def send_download(download: Download, filename: str, public: bool) -> Response:
    """Send a file while it is fetched; the connection is cut when the fetch fails."""
    headers = {"etag": f'"{download.sha256}"', **make_file_headers(filename, public)}
    if download.total is not None:
        headers["content-length"] = str(download.total)
    first = download.read_block(0)  # read here: the loop would wait for another thread
    return _StreamedFile(_iterate(download, first), 200, headers)


#: Seconds between two looks at a file that grows; longer ones where nothing comes.
_MIN_PAUSE, _MAX_PAUSE = 0.005, 0.1


async def _iterate(download: Download, first: bytes) -> AsyncIterator[bytes]:
    """Yield a file as it grows; no thread is held while it waits for more."""
    sent, pause, block = 0, _MIN_PAUSE, first
    while block:
        yield block
        download.mark_begun()
        sent += len(block)
        while not download.has_news(sent):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)
        pause = _MIN_PAUSE
        block = await run_in_threadpool(download.read_block, sent)


class _StreamedFile(StreamingResponse):
    """A response that ends early when its file cannot be read whole.

    The server then closes the connection, so that no client takes a part for the file.
    """

    def __init__(
        self, blocks: AsyncIterator[bytes], status: int, headers: Mapping[str, str]
    ) -> None:
        super().__init__(self._read(blocks), status, headers)
        self._failure: Exception | None = None

    async def _read(self, blocks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for block in blocks:
                yield block
        except (TwofoldError, OSError) as error:
            self._failure = error
            raise

    async def stream_response(self, send: Send) -> None:
        """Send the file; where it cannot be read log the reason, and no traceback."""
        try:
            await super().stream_response(send)
        except (TwofoldError, OSError) as error:
            if error is not self._failure:  # the client left
                raise
            log.warning("a download was cut off: %s", error)


def count_download(request: Request, registry: Registry, file: int | tuple[str, str, str]) -> None:
    """Count a download of a file: its id, or its channel's name, subdir and filename."""
    agent = request.headers.get("user-agent", "")
    registry.download_counter.count(registry.database, file, agent)


def send_file(request: Request, registry: Registry, found: ReadableFile) -> Response:
    """Send a stored file (Range, HEAD, ETag), never encoded, never rendered by a browser."""
    file = found.file
    etag = f'"{file.sha256}"'
    is_converted = file.made_from is not None
    headers = {"etag": etag, **make_file_headers(file.filename, found.public, is_converted)}
    if is_unchanged(request, etag):
        return Response(None, 304, headers)
    requested = _parse_range(request, etag, file.size)
    if request.method == "GET" and requested in (None, (0, file.size)):
        count_download(request, registry, file.id)  # and no part: a client fetches several
    if found.redirects and request.method == "GET":
        url = registry.blobs.sign(file.sha256)
        if url is not None:
            return Response(None, 307, {"location": url, "cache-control": NOT_KEPT})
    start, end, status = 0, file.size, 200
    if requested is not None:
        start, end = requested
        if start >= end:
            answer = problem_response(
                "no-range", "The requested range is not within the file", status=416
            )
            answer.headers["content-range"] = f"bytes */{file.size}"
            return answer
        status = 206
        headers["content-range"] = f"bytes {start}-{end - 1}/{file.size}"
    headers["content-length"] = str(end - start)
    if request.method == "HEAD":
        return Response(None, status, headers)
    if file.size <= MAX_BUFFERED:
        return Response(registry.blobs.read(file.sha256)[start:end], status, headers)
    parts = registry.blobs.stream(file.sha256, file.size, start, end)
    return _StreamedFile(iterate_in_threadpool(parts), status, headers)


def _parse_range(request: Request, etag: str, size: int) -> tuple[int, int] | None:
    """Return the requested range as [start, end), or None for the whole file (RFC 9110, 14.2)."""
    condition = request.headers.get("if-range")
    if condition is not None and condition != etag:
        return None
    found = re.fullmatch(
        r"bytes=([0-9]{0,30})-([0-9]{0,30})", request.headers.get("range", "").strip()
    )
    if found is None or found[0] == "bytes=-":
        return None
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    start = int(first)
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < start:
        return None
    return start, end
