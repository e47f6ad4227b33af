"""The files in the zip and tar archives that a package carries, read for secrets alone.

What is damaged or too large is passed over: an archive among a package's files need not be one that
anybody can read, and nothing is unpacked to disk.
"""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

from twofold.check.packed_files import MAX_SCANNED

#: An archive of at most MAX_SCANNED bytes can unpack to a thousand times as many.
_MAX_TOTAL = 32 << 20
_MAX_MEMBERS = 2000
#: Archives in archives.
_MAX_DEPTH = 3
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError,
)  # fmt: skip


def read_members(data: bytes, depth: int = 0) -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file in an archive, those of archives in it too (`a.zip/b.txt`).

    The bytes are empty where a file is larger than `MAX_SCANNED`.
    """
    if depth == _MAX_DEPTH:
        return
    try:
        for name, inner in _read_zip(data) if data.startswith(b"PK") else _read_tar(data):
            yield name, inner
            if inner.startswith((b"PK\x03\x04", b"\x1f\x8b", b"BZh", b"\xfd7zXZ")):
                for below, content in read_members(inner, depth + 1):
                    yield f"{name}/{below}", content
    except _DAMAGE:
        return


def _read_zip(data: bytes) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        total = 0
        for member in archive.infolist()[:_MAX_MEMBERS]:
            total += min(member.file_size, MAX_SCANNED)
            if member.is_dir() or total > _MAX_TOTAL:
                continue
            is_read = member.file_size <= MAX_SCANNED and not member.flag_bits & 1
            with archive.open(member) if is_read else io.BytesIO() as stream:
                yield member.filename, stream.read(MAX_SCANNED)


def _read_tar(data: bytes) -> Iterator[tuple[str, bytes]]:
    if data.startswith(b"\x1f\x8b"):
        data = zlib.decompressobj(wbits=31).decompress(data, _MAX_TOTAL)
    elif data.startswith(b"BZh"):
        data = bz2.BZ2Decompressor().decompress(data, _MAX_TOTAL)
    elif data.startswith(b"\xfd7zXZ"):
        data = lzma.LZMADecompressor(memlimit=2 * _MAX_TOTAL).decompress(data, _MAX_TOTAL)
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for _, member in zip(range(_MAX_MEMBERS), archive, strict=False):
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                yield member.name, stream.read() if member.size <= MAX_SCANNED else b""
