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

from twofold.check.packed_files import MAX_SCANNED, ZSTD, is_archive
from twofold.formats import limits
from twofold.formats.bounded_decompress import ArchiveSection
from twofold.formats.light.zstd import ZstdReader

#: An archive of at most MAX_SCANNED bytes can unpack to a thousand times as many. It is the limit
#: of all files of one archive, those of archives inside it included.
_MAX_TOTAL = 32 << 20
_MAX_MEMBERS = 2000
#: Archives in archives; more of them serve only to keep a reader busy.
_MAX_DEPTH = 8
_DAMAGE = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError,
    NotImplementedError, RuntimeError,
)  # fmt: skip
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", ZSTD)


def read_members(data: bytes, name: str = "") -> Iterator[tuple[str, bytes]]:
    """Path and bytes of each file in an archive, those of archives in it too (`a.zip/b.txt`).

    Empty files are left out; the bytes are empty where a file is larger than `MAX_SCANNED`. A
    compressed file alone is one that is called like the archive, `name`, without its last suffix.
    """
    return _read_archive(data, name, 0, _Budget())


class _Budget:
    """How much may be read yet, in bytes and files."""

    def __init__(self) -> None:
        self.left = _MAX_TOTAL
        self.members = _MAX_MEMBERS

    def spend(self, size: int) -> bool:
        """Take a file's size; False where it is more than is left."""
        self.left -= size
        self.members -= 1
        return self.left >= 0 and self.members >= 0


def _read_archive(
    data: bytes, name: str, depth: int, budget: _Budget
) -> Iterator[tuple[str, bytes]]:
    try:
        for path, inner in _read_files(data, name, budget):
            yield path, inner
            if depth + 1 < _MAX_DEPTH and is_archive(inner):
                for below, content in _read_archive(inner, path, depth + 1, budget):
                    yield f"{path}/{below}", content
    except _DAMAGE:
        return


def _read_files(data: bytes, name: str, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(_COMPRESSED) and data[257:262] != b"ustar":
        return _read_zip(data, budget)
    unpacked = _decompress(data, max(budget.left, 1))  # zlib takes 0 for no limit
    if unpacked[257:262] == b"ustar":
        return _read_tar(unpacked, budget)
    plain = name.rpartition("/")[2].rpartition(".")[0]
    return iter([(plain, unpacked[:MAX_SCANNED])] if budget.spend(len(unpacked)) else ())


def _decompress(data: bytes, most: int) -> bytes:
    """The contents of a compressed file, at most so many bytes of it."""
    if data.startswith(b"\x1f\x8b"):
        return zlib.decompressobj(wbits=31).decompress(data, most)
    if data.startswith(b"BZh"):
        return bz2.BZ2Decompressor().decompress(data, most)
    if data.startswith(b"\xfd7zXZ"):
        return lzma.LZMADecompressor(memlimit=2 * _MAX_TOTAL).decompress(data, most)
    if data.startswith(ZSTD):
        section = ArchiveSection(io.BytesIO(data), 0, len(data))
        return ZstdReader(section, limits.WINDOW_LOG).read(most)
    return data


def _read_zip(data: bytes, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for member in archive.infolist()[:_MAX_MEMBERS]:
            if not member.file_size or not budget.spend(min(member.file_size, MAX_SCANNED)):
                continue
            is_read = member.file_size <= MAX_SCANNED and not member.flag_bits & 1
            with archive.open(member) if is_read else io.BytesIO() as stream:
                yield member.filename, stream.read(MAX_SCANNED)


def _read_tar(data: bytes, budget: _Budget) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        for _, member in zip(range(_MAX_MEMBERS), archive, strict=False):
            stream = archive.extractfile(member) if member.isfile() and member.size else None
            if stream is not None and budget.spend(min(member.size, MAX_SCANNED)):
                yield member.name, stream.read() if member.size <= MAX_SCANNED else b""
