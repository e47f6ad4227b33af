"""Bodies of responses: read to their end, within limits of bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from twofold.errors import TwofoldError
from twofold.publish.addresses import redact_url
from twofold.publish.responses import LARGEST_ANSWER

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

INVALID_CHUNK = "a chunk has no valid length"


def read_body(response: BaseHTTPResponse, url: str) -> bytes:
    """Read the body of an answer; raises TwofoldError if it does not end."""
    body = bytearray()
    for block in _iterate(response, 1 << 16):
        body += block
        if len(body) > LARGEST_ANSWER:
            raise TwofoldError(
                f"{redact_url(url)} sent an answer of more than {LARGEST_ANSWER >> 20} MiB",
                "check the URL",
            )
    return bytes(body)


def read_blocks(
    response: BaseHTTPResponse, url: str, expected_size: int, into: BinaryIO | None
) -> str:
    """Read a file's bytes, write them to `into`, and return their SHA-256.

    `expected_size` is the size of our file (bytes). Another one of this name may be larger; what
    exceeds it by far is not read to its end: raises TwofoldError.
    """
    import hashlib

    digest, size, limit = hashlib.sha256(), 0, get_file_limit(expected_size)
    if into is not None:
        into.seek(0)
        into.truncate()
    for block in _iterate(response, 1 << 18):
        size += len(block)
        if size > limit:
            raise TwofoldError(
                f"{redact_url(url)} sent more than {limit >> 20} MiB for a file that has "
                f"{expected_size} bytes here",
                "check what the server has under this name, or the URL",
            )
        digest.update(block)
        if into is not None:
            into.write(block)
    return digest.hexdigest()


def get_file_limit(expected_size: int) -> int:
    """The limit of a fetched file (bytes), where ours has the expected size."""
    return LARGEST_ANSWER + 4 * expected_size


def _iterate(response: BaseHTTPResponse, size: int) -> Iterator[bytes]:
    """The blocks of a body; raises ProtocolError if its framing is invalid."""
    from urllib3.exceptions import ProtocolError

    blocks = response.stream(size, decode_content=True)
    while True:
        try:
            block = next(blocks, None)
        except ValueError as error:  # a chunk of a negative length
            raise ProtocolError(INVALID_CHUNK) from error
        if block is None:
            return
        yield block


def release_connection(response: BaseHTTPResponse) -> None:
    """Let the next request have the connection; close it if a part of the body is unread."""
    if not response.closed:
        response.close()  # the next response would begin with the rest of this one
    response.release_conn()
