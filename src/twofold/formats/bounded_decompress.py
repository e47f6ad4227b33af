"""Decompressors with a limit on the ratio of unpacked to packed bytes."""

from __future__ import annotations

import zlib
from typing import IO

from twofold.errors import BadFile
from twofold.formats import limits
from twofold.formats.light.zstd import ZstdReader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.formats.tar_safety import Readable

_HINT = "download or build the file again"


class BoundedReader:
    """Reads from a decompressor and counts; raises BadFile for a bomb or a damaged stream."""

    def __init__(self, stream: Readable, packed: Callable[[], int], where: str) -> None:
        """`packed` returns how many bytes were read from the file so far."""
        self._stream = stream
        self._packed = packed
        self._where = where
        self._unpacked = 0

    def read(self, size: int = -1, /) -> bytes:
        """Read and count; raises BadFile for a bomb or a damaged stream."""
        try:
            data = self._stream.read(size)
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise BadFile(f"the archive is damaged: {error}", _HINT, self._where) from error
        self._unpacked += len(data)
        if self._unpacked > limits.RATIO_FROM and limits.is_bomb(self._unpacked, self._packed()):
            raise BadFile(
                f"the archive unpacks to more than {limits.RATIO} times its size: a bomb",
                where=self._where,
            )
        return data


class ArchiveSection:
    """A part of an open file as a stream of its own: a stored member of a zip."""

    def __init__(self, stream: IO[bytes], start: int, size: int) -> None:
        self._stream = stream
        self._at = start
        self._start = start
        self._end = start + size

    def bytes_read(self) -> int:
        """Return how many packed bytes were read."""
        return self._at - self._start

    def read(self, size: int = -1, /) -> bytes:
        """Read from the section only."""
        self._stream.seek(self._at)
        left = self._end - self._at
        data = self._stream.read(left if size < 0 else min(size, left))
        self._at += len(data)
        return data


def open_zstd(section: ArchiveSection, where: str) -> BoundedReader:
    """Return a reader of a zstandard section."""
    return BoundedReader(ZstdReader(section, limits.WINDOW_LOG), section.bytes_read, where)


def open_bz2(stream: IO[bytes], where: str) -> BoundedReader:
    """Return a reader of a bzip2 file."""
    import bz2

    return BoundedReader(bz2.BZ2File(stream), stream.tell, where)


def open_gzip(stream: IO[bytes], where: str) -> BoundedReader:
    """Return a reader of a gzip file."""
    import gzip

    return BoundedReader(gzip.GzipFile(fileobj=stream), stream.tell, where)
