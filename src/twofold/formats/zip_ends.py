"""Finds a zip's central directory by the records at the file's end (APPNOTE 4.3.14-16)."""

from __future__ import annotations

from struct import Struct
from typing import IO, NamedTuple

_END = Struct("<4sHHHHIIH")
_END64 = Struct("<4sQHHIIQQQQ")
_LOCATOR64 = Struct("<4sIQI")
#: Bytes of a central directory; 200,000 members with paths of 300 bytes stay below.
_MAX_SIZE = 96 << 20


class ZipError(Exception):
    """The archive is so damaged that its members cannot be listed."""


class Directory(NamedTuple):
    """The central directory's bytes, its offset in the file, and its number of members."""

    data: bytes
    start: int
    members: int


def find_directory(stream: IO[bytes]) -> Directory:
    """Find and read the central directory. Raises ZipError if there is not exactly one."""
    length = stream.seek(0, 2)
    stream.seek(0)
    head = stream.read(4)
    if head not in (b"PK\3\4", b"PK\5\6"):
        raise ZipError("not a zip archive" if length else "the file is empty")
    end = length - _END.size
    stream.seek(max(end, 0))
    record = stream.read(_END.size)
    if len(record) < _END.size or record[:4] != b"PK\5\6":
        raise ZipError(
            "the zip is truncated, or data follow it: it does not end with its directory"
        )
    _, disk, first_disk, here, count, size, start, comment = _END.unpack(record)
    if comment:
        raise ZipError("the zip has a comment")
    if 0xFFFF in (here, count) or 0xFFFFFFFF in (size, start):
        disk, first_disk, here, count, size, start, end = _read_zip64_end(stream, end)
    if disk or first_disk or here != count:
        raise ZipError("the zip is in several parts")
    if size > _MAX_SIZE:
        raise ZipError(f"the zip's directory is larger than {_MAX_SIZE} bytes")
    if start + size != end:
        raise ZipError("hidden data between the zip's directory and its end")
    stream.seek(start)
    return Directory(stream.read(size), start, count)


def _read_zip64_end(stream: IO[bytes], end: int) -> tuple[int, int, int, int, int, int, int]:
    """Read the ZIP64 record; it must precede its locator directly, and that one the end."""
    at = end - _LOCATOR64.size
    stream.seek(max(at, 0))
    locator = stream.read(_LOCATOR64.size)
    if len(locator) < _LOCATOR64.size or locator[:4] != b"PK\6\7":
        raise ZipError("the zip's ZIP64 locator is missing")
    _, locator_disk, where, disks = _LOCATOR64.unpack(locator)
    if where != at - _END64.size or locator_disk or disks != 1:
        raise ZipError("the zip's ZIP64 records are at the wrong place")
    stream.seek(where)
    record = stream.read(_END64.size)
    if record[:4] != b"PK\6\6":
        raise ZipError("the zip's ZIP64 record is missing")
    _, length, _, _, disk, first_disk, here, count, size, start = _END64.unpack(record)
    if length != _END64.size - 12:
        raise ZipError("the zip's ZIP64 record has the wrong length")
    return disk, first_disk, here, count, size, start, where
