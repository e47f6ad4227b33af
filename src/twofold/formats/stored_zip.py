"""Writes a zip of uncompressed members by hand: the outer layer of a `.conda` file.

Dates are the first a zip can hold (1980-01-01), so that the same members give the same bytes.
A member of unknown size gets room for 64-bit sizes (APPNOTE 4.5.3), and its header is completed
afterwards: some readers refuse data descriptors.
"""

from __future__ import annotations

import zlib
from struct import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

_DATE = 0x21  # 1980-01-01
_MODE = (0o100644 << 16) & 0xFFFFFFFF
_MAX32 = 0xFFFFFFFF
_UTF8 = 0x800


class StoredZip:
    """Writes to a seekable stream at its beginning; `close` ends the archive."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._members: list[tuple[bytes, int, int, int]] = []

    def write(self, name: str, data: bytes) -> None:
        """Add a member whose bytes are known."""
        offset = self._stream.tell()
        encoded = name.encode()
        crc = zlib.crc32(data)
        self._stream.write(_local(encoded, crc, len(data), wide=False))
        self._stream.write(data)
        self._members.append((encoded, crc, len(data), offset))

    def begin(self, name: str) -> StoredMember:
        """Add a member in pieces; nothing else may be written before its `end`."""
        return StoredMember(self, name.encode())

    def close(self) -> None:
        """Write the central directory; the stream stays open."""
        start = self._stream.tell()
        for name, crc, size, offset in self._members:
            self._stream.write(_central(name, crc, size, offset))
        end = self._stream.tell()
        self._stream.write(_end(len(self._members), end - start, start))


class StoredMember:
    """A member being written piece by piece."""

    def __init__(self, archive: StoredZip, name: bytes) -> None:
        self._archive = archive
        self._name = name
        self._offset = archive._stream.tell()
        self._crc = 0
        self._size = 0
        archive._stream.write(_local(name, 0, 0, wide=True))

    def write(self, data: bytes) -> None:
        """Write the next piece."""
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._archive._stream.write(data)

    def end(self) -> None:
        """Complete the member's header."""
        stream = self._archive._stream
        end = stream.tell()
        stream.seek(self._offset)
        stream.write(_local(self._name, self._crc, self._size, wide=True))
        stream.seek(end)
        self._archive._members.append((self._name, self._crc, self._size, self._offset))


def _local(name: bytes, crc: int, size: int, wide: bool) -> bytes:
    extra = pack("<HHQQ", 1, 16, size, size) if wide else b""
    shown = _MAX32 if wide else size
    version = 45 if wide else 20
    fixed = (version, _UTF8, 0, 0, _DATE, crc, shown, shown, len(name), len(extra))
    return pack("<4s5HIIIHH", b"PK\3\4", *fixed) + name + extra


def _central(name: bytes, crc: int, size: int, offset: int) -> bytes:
    wide = b""
    shown = size
    if size >= _MAX32:
        wide, shown = pack("<QQ", size, size), _MAX32
    where = offset
    if offset >= _MAX32:
        wide, where = wide + pack("<Q", offset), _MAX32
    extra = pack("<HH", 1, len(wide)) + wide if wide else b""
    made_by = 0x0300 | 45  # Unix, so that the mode is read
    fixed = (made_by, 45, _UTF8, 0, 0, _DATE, crc, shown, shown, len(name), len(extra))
    return (
        pack("<4s6HIIIHH", b"PK\1\2", *fixed) + pack("<HHHII", 0, 0, 0, _MODE, where) + name + extra
    )


def _end(count: int, size: int, start: int) -> bytes:
    wide = b""
    if start >= _MAX32:
        wide = pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, start)
        wide += pack("<4sIQI", b"PK\6\7", 0, start + size, 1)
    return wide + pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, min(start, _MAX32), 0)
