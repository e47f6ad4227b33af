"""HTTP client for fetching from untrusted servers: pages, files and parts of files, with limits.

`exchange` has the checks of addresses. Nothing is read without a limit of bytes and of time.
"""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from email.utils import parsedate_to_datetime

from twofold.errors import Refused, Unreachable
from twofold.fetching.content_encoding import (
    DecodedSink,
    Sink,
    decode_page,
    parse_encoding,
)
from twofold.fetching.exchange import TIMEOUT as TIMEOUT
from twofold.fetching.exchange import Endpoint as Endpoint
from twofold.fetching.exchange import Request, make_unreachable, open_response
from twofold.fetching.origins import is_public as is_public
from twofold.fetching.origins import is_public_name as is_public_name
from twofold.fetching.origins import parse_origin as parse_origin
from twofold.fetching.server_limits import parse_retry_after

#: Seconds for a whole file: a server that sends too slowly is dropped.
MAX_FILE_SECONDS = 3600

#: Seconds without a request to a server that answers 429 (too many requests) and not for how long.
PAUSE_AFTER_429 = 10.0

#: The max_size page of an index (bytes).
MAX_PAGE_SIZE = 64 << 20

#: A size in Content-Range; `str.isdigit` also takes superscripts, which `int` refuses.
_SIZE = re.compile("[0-9]{1,18}")


@dataclass(frozen=True)
class HttpResponse:
    """A fetched page, with the validator to revalidate it; `unchanged` after a 304."""

    body: bytes = field(repr=False)
    media: str
    address: str
    validator: str = ""
    unchanged: bool = False


def fetch_page(
    source: Endpoint, url: str, accept: str, validator: str = "", max_size: int = MAX_PAGE_SIZE
) -> HttpResponse | None:
    """Fetch a page; None if it does not exist (404, 410). Raises Unreachable on errors.

    `validator` is that of the cached page; `unchanged` says that it is still current.
    """
    headers = {"Accept": accept, **_conditional_headers(validator)}
    with open_response(source, Request(url, headers)) as (answer, address):
        if answer.status in (404, 410):
            return None
        if answer.status == 304 and validator:
            return HttpResponse(b"", "", address, validator, unchanged=True)
        _check_status(source, answer, address)
        blocks: list[bytes] = []
        _read_body(answer, address, max_size, blocks.append)
        encoding = answer.headers.get("content-encoding", "")
        body = decode_page(b"".join(blocks), encoding, address, max_size)
        return HttpResponse(
            body, answer.headers.get_content_type(), address, _make_validator(answer)
        )


def _conditional_headers(validator: str) -> dict[str, str]:
    kind, _, value = validator.partition(":")
    names = {"etag": "If-None-Match", "date": "If-Modified-Since"}
    return {names[kind]: value} if kind in names else {}


def _make_validator(answer: http.client.HTTPResponse) -> str:
    etag, date = answer.headers.get("etag", ""), answer.headers.get("last-modified", "")
    if etag and etag.isprintable() and len(etag) < 300:
        return f"etag:{etag}"
    return f"date:{date}" if _is_settled(date, answer.headers.get("date", "")) else ""


def _is_settled(modified: str, sent: str) -> bool:
    """Whether a page was old enough for its date to validate it: it may change twice a second.

    RFC 9110, 8.8.2.2, requires a minute.
    """
    try:
        age = parsedate_to_datetime(sent) - parsedate_to_datetime(modified)
    except (ValueError, TypeError):
        return False
    return modified.isascii() and modified.isprintable() and age >= timedelta(minutes=1)


def fetch_file(source: Endpoint, url: str, sink: Sink, max_size: int) -> None:
    """Download a file into `sink`, decoded. Raises Unreachable when it is incomplete."""
    with open_response(source, Request(url, {"Accept": "*/*"}, seconds=MAX_FILE_SECONDS)) as (
        answer,
        address,
    ):
        _check_status(source, answer, address)
        if answer.length is not None and answer.length > max_size:
            raise Unreachable(f"{address} is larger than {max_size} bytes")
        encoding = parse_encoding(answer.headers.get("content-encoding", ""))
        if encoding:
            decoded = DecodedSink(sink, encoding, address, (answer.length, max_size))
            _read_body(answer, address, max_size, decoded.write)
            decoded.finish()
        else:
            sink.begin(answer.length)
            _read_body(answer, address, max_size, sink.write)


def _read_body(
    answer: http.client.HTTPResponse,
    address: str,
    max_size: int,
    take: Callable[[bytes], object],
) -> None:
    """Read the body in blocks. Raises Unreachable: too large, too slow, cut off.

    What `take` raises, such as a full disk, is not the server's fault and is passed on.
    """
    left = max_size
    while block := _read_block(answer, address):
        left -= len(block)
        if left < 0:
            raise Unreachable(f"{address} is larger than {max_size} bytes")
        take(block)
    if answer.length:  # http.client reports a truncated body by nothing else
        raise Unreachable(f"the response from {address} was cut off", "try again later")


def _read_block(answer: http.client.HTTPResponse, address: str) -> bytes:
    try:
        return answer.read1(1 << 18)
    except (OSError, http.client.HTTPException) as error:
        raise make_unreachable(address, error) from error


def fetch_range(source: Endpoint, url: str, first: int, size: int) -> tuple[bytes, int] | None:
    """Fetch a part of a file; return it and the size of the whole. None if it is not served so.

    A negative `first` counts from the end. Raises Unreachable.
    """
    wanted = f"bytes={first}" if first < 0 else f"bytes={first}-{first + size - 1}"
    with open_response(source, Request(url, {"Accept": "*/*", "Range": wanted})) as (
        answer,
        address,
    ):
        total = answer.headers.get("content-range", "").rpartition("/")[2]
        is_encoded = parse_encoding(answer.headers.get("content-encoding", "")) != ""
        if answer.status != 206 or is_encoded or _SIZE.fullmatch(total) is None:
            return None
        blocks: list[bytes] = []
        _read_body(answer, address, size, blocks.append)
        return b"".join(blocks), int(total)


def is_reachable(source: Endpoint, url: str) -> bool:
    """Whether a HEAD request gets a response; any status below 500 counts."""
    try:
        with open_response(source, Request(url, {}, "HEAD")) as (answer, _):
            return answer.status < 500
    except (Unreachable, Refused):
        return False


def _check_status(source: Endpoint, answer: http.client.HTTPResponse, url: str) -> None:
    if answer.status in (401, 403, 407):
        hint = (
            "give its user and password, or its token, to 'twofold admin upstream add', or "
            "--only NAME to an index that answers so for what it lacks"
        )
        if source.any_address:
            hint = "check the URL and the token"
        raise Unreachable(f"{url} answered {answer.status}", hint)
    if answer.status != 200:
        wait = 0.0
        if answer.status in (429, 503):
            wait = parse_retry_after(answer.headers.get("retry-after", ""))
            if answer.status == 429:
                wait = wait or PAUSE_AFTER_429
            if source.limits is not None and parse_origin(url) == source.origin:
                source.limits.pause(wait)
        raise Unreachable(f"{url} answered {answer.status}", "try again later", retry_after=wait)
