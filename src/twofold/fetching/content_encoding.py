"""Content-Encoding that was not asked for (RFC 9110, 8.4): as stores send it.

Every request asks for `identity`. Pages are decoded in memory. A file is decoded on its way, unless
it is the encoded bytes itself: servers label `.tar.gz` so, and stores label what an upload was sent
with. Its first bytes show which.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Protocol

from twofold.errors import Unreachable

_GZIP = b"\x1f\x8b"
#: How wheels, conda packages and sdists begin: zip, bzip2, gzip, zstd, xz.
_FILE_STARTS = (b"PK", b"BZh", _GZIP, b"\x28\xb5\x2f\xfd", b"\xfd7zXZ")

#: Bytes of a tar archive until after the word that marks one, and where that is.
_TAR_HEAD, _TAR_WORD = 265, slice(257, 262)

#: Decoded bytes at once: a few kilobytes can be gigabytes.
_PIECE = 1 << 18


class Sink(Protocol):
    """Takes a file as it arrives."""

    def begin(self, total: int | None) -> None:
        """The file begins; `total` is its size as announced (bytes)."""

    def write(self, block: bytes) -> None:
        """The next bytes of the file."""


def parse_encoding(header: str) -> str:
    """Return the encoding that a response names, '' for bytes as they are."""
    names = [name.strip().lower() for name in header.split(",")]
    # Some stores repeat how an upload was sent to them; they keep the bytes themselves.
    names = [name.removeprefix("x-") for name in names if name not in ("identity", "aws-chunked")]
    return ",".join(filter(None, names))


class Decoder:
    """Undoes `gzip` or `deflate`, in pieces. Raises Unreachable for another or damaged one."""

    def __init__(self, encoding: str, address: str) -> None:
        if encoding not in ("gzip", "deflate"):
            raise Unreachable(f"{address} is encoded as {encoding[:50]!a}, which was not asked for")
        self._address = address
        self._bits = 47 if encoding == "gzip" else 0  # 47: gzip or zlib
        self._decoder = zlib.decompressobj(47)

    def decode(self, block: bytes) -> Iterator[bytes]:
        """Yield the bytes of an encoded block."""
        while block:
            try:
                piece = self._decompress(block)
            except zlib.error as error:
                raise Unreachable(f"{self._address} is not encoded as it says: {error}") from error
            if piece:
                yield piece
            block = self._decoder.unconsumed_tail
            if self._decoder.eof and self._decoder.unused_data.strip(b"\0"):
                block = self._decoder.unused_data  # gzip may have several members
                self._decoder = zlib.decompressobj(47)

    def _decompress(self, block: bytes) -> bytes:
        bits, self._bits = self._bits, 47
        try:
            return self._decoder.decompress(block, _PIECE)
        except zlib.error:
            if bits:
                raise
        self._decoder = zlib.decompressobj(-15)  # some servers send deflate without its head
        return self._decoder.decompress(block, _PIECE)

    def finish(self) -> None:
        """Check that the encoded bytes ended. Raises Unreachable."""
        if not self._decoder.eof:
            raise Unreachable(f"the response from {self._address} was cut off", "try again later")


def decode_page(body: bytes, header: str, address: str, max_size: int) -> bytes:
    """Undo the encoding of a page. Raises Unreachable, for more than `max_size` bytes too."""
    encoding = parse_encoding(header)
    if encoding in ("", "zstd"):  # what is read as .zst is stored so
        return body
    decoder, blocks, size = Decoder(encoding, address), [], 0
    for piece in decoder.decode(body):
        size += len(piece)
        if size > max_size:
            raise Unreachable(f"{address} is larger than {max_size} bytes")
        blocks.append(piece)
    decoder.finish()
    return b"".join(blocks)


class DecodedSink:
    """Takes an encoded file and passes it on: decoded, or as it is where it was only labelled so.

    `length` is the size of the response. Raises Unreachable, for more than `max_size` bytes too.
    """

    def __init__(
        self, sink: Sink, encoding: str, address: str, sizes: tuple[int | None, int]
    ) -> None:
        self._sink, self._encoding, self._address = sink, encoding, address
        self._length, self._left = sizes
        self._held: bytes = b""
        self._is_begun = False
        self._decoder: Decoder | None = None

    def write(self, block: bytes) -> None:
        """Take the next bytes of the response."""
        if not self._is_begun:
            self._held += block
            is_file = _is_file_itself(self._held, self._encoding)
            if is_file is None:
                return
            block = self._begin(is_file)
        self._pass_on(block)

    def finish(self) -> None:
        """Take the end of the response."""
        if not self._is_begun:
            self._pass_on(self._begin(is_file=False))
        if self._decoder is not None:
            self._decoder.finish()

    def _begin(self, is_file: bool) -> bytes:
        """Begin the file; return the bytes that were held back."""
        if not is_file:
            self._decoder = Decoder(self._encoding, self._address)
        self._is_begun = True
        self._sink.begin(self._length if is_file else None)
        held, self._held = self._held, b""
        return held

    def _pass_on(self, block: bytes) -> None:
        for piece in [block] if self._decoder is None else self._decoder.decode(block):
            self._left -= len(piece)
            if self._left < 0:
                raise Unreachable(f"{self._address} is larger than the largest file")
            self._sink.write(piece)


def _is_file_itself(start: bytes, encoding: str) -> bool | None:
    """Whether encoded bytes are the file that was asked for; None if more of them are needed."""
    if len(start) < 6:
        return None
    if encoding != "gzip" or not start.startswith(_GZIP):
        return start.startswith(_FILE_STARTS)
    decoder = zlib.decompressobj(47)
    try:
        decoded = decoder.decompress(start, _TAR_HEAD)
    except zlib.error:
        return False
    if len(decoded) < _TAR_HEAD and not decoder.eof:
        return None
    return decoded[_TAR_WORD] == b"ustar"
