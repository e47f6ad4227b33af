"""METADATA of a wheel that its index serves only as a whole: read by ranges of the file.

The end of a zip archive lists its members; METADATA is fetched from its place. Two or three small
requests instead of a wheel of any size. What is read so has no hash to be checked by: it may only
decide what is fetched, never what is served.
"""

from __future__ import annotations

import io
import zipfile

from twofold.errors import Unreachable
from twofold.fetching.client import Endpoint, fetch_range

#: Bytes read from the end at first: the list of some 500 members, and METADATA beside it.
_TAIL = 64 << 10

#: The most that is read of a wheel for its METADATA (bytes), and the largest METADATA.
MAX_READ, MAX_METADATA = 8 << 20, 4 << 20


class _TooMuchError(Exception):
    """More of the file would have to be read than is worth it."""


class _RemoteFile(io.RawIOBase):
    """A file on a server; only the parts that are read are fetched."""

    def __init__(self, source: Endpoint, url: str, tail: bytes, total: int) -> None:
        super().__init__()
        self._source, self._url = source, url
        self._parts = [(total - len(tail), tail)]
        self._total, self._at, self._left = total, 0, MAX_READ

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._total}[whence]
        self._at = max(0, start + offset)
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._total if size < 0 else min(self._total, self._at + size)
        data = self._find(self._at, end) if end > self._at else b""
        self._at += len(data)
        return data

    def _find(self, start: int, end: int) -> bytes:
        for first, data in self._parts:
            if first <= start and end <= first + len(data):
                return data[start - first : end - first]
        size = min(max(end - start, 8 << 10), self._total - start)  # the next reads are near
        self._left -= size
        if self._left < 0:
            raise _TooMuchError
        found = fetch_range(self._source, self._url, start, size)
        if found is None or len(found[0]) != size:
            raise Unreachable(f"{self._url} is not served in parts any more")
        self._parts.append((start, found[0]))
        return found[0][: end - start]


def fetch_metadata(source: Endpoint, url: str) -> bytes | None:
    """Return the METADATA of a wheel; None where its server sends only the whole file.

    Raises Unreachable.
    """
    tail = fetch_range(source, url, -_TAIL, _TAIL)
    if tail is None:
        return None
    try:
        with zipfile.ZipFile(_RemoteFile(source, url, *tail)) as archive:
            names = [name for name in archive.namelist() if _is_metadata(name)]
            if len(names) != 1 or archive.getinfo(names[0]).file_size > MAX_METADATA:
                return None
            return archive.read(names[0])
    except (_TooMuchError, zipfile.BadZipFile, NotImplementedError, ValueError):
        return None  # the whole file is read, and says what is wrong with it


def _is_metadata(name: str) -> bool:
    folder, _, last = name.partition("/")
    return folder.endswith(".dist-info") and last == "METADATA"
