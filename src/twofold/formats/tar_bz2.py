"""Writes `.tar.bz2` conda packages: one tar with info/ first, as conda-build packs it.

Clients that need only the metadata stop reading after info/. Its content is known only when all
files were added, so these are kept uncompressed in a file beside the target.
"""

from __future__ import annotations

import bz2
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor

from twofold.formats import ustar
from twofold.formats.conda_info import PackedPath, make_info_files
from twofold.formats.conda_writer import EARLIEST_ZIP_TIME, PIECE_SIZE
from twofold_build.atomic import AtomicFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import BinaryIO

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content, Entry

#: Bytes that one thread compresses: four blocks of the largest size.
BZ2_PIECE = 4 * 900_000
#: A compressor takes 8 MB, and a piece waits for each.
_MOST_THREADS = 8
_BLOCK = 0x314159265359
_END = 0x177245385090
_ONES = 0xFFFFFFFF


class TarBz2Writer:
    """A `Writer` of one conda package. `target` is the final path, `<stem>.tar.bz2`."""

    def __init__(self, target: Path | str, package: CondaPackage, level: int = 9) -> None:
        """`level` is bzip2's block size in units of 100 kB; 9 is what conda-build uses."""
        self.package = package
        self.paths: list[PackedPath] = []
        self._level = level
        self._mtime = package.timestamp // 1000 or EARLIEST_ZIP_TIME
        self._file = AtomicFile(target)
        try:
            self._payload = AtomicFile(os.fspath(target) + ".payload")
        except BaseException:
            self._file.discard()
            raise

    def add(self, entry: Entry, content: Content, placeholder: str = "") -> None:
        """Add a file; `entry.path` is its path in the package."""
        size = len(content.data)
        self._payload.stream.write(
            ustar.make_header(entry.path, size, self._mtime, entry.executable)
            + content.data
            + ustar.make_padding(size)
        )
        self.paths.append(PackedPath(entry.path, content.sha256, size, placeholder))

    def add_pieces(self, entry: Entry, size: int, pieces: Iterable[bytes]) -> bytes:
        """Add a large file piece by piece; `size` must be right. Returns its SHA-256 (raw)."""
        import hashlib

        digest = hashlib.sha256()
        seen = 0
        self._payload.stream.write(
            ustar.make_header(entry.path, size, self._mtime, entry.executable)
        )
        for piece in pieces:
            digest.update(piece)
            seen += len(piece)
            self._payload.stream.write(piece)
        if seen != size:
            raise ValueError(f"{entry.path}: {seen} bytes came where {size} were announced")
        self._payload.stream.write(ustar.make_padding(size))
        self.paths.append(PackedPath(entry.path, digest.digest(), size))
        return digest.digest()

    def close(self) -> None:
        """Compress info/ and the files, and move the package under its final name."""
        out = Bz2Stream(self._file.stream, self._level)
        try:
            for path, data in make_info_files(self.package, self.paths):
                header = ustar.make_header(path, len(data), self._mtime)
                out.write(header + data + ustar.make_padding(len(data)))
            self._payload.stream.seek(0)
            while piece := self._payload.stream.read(PIECE_SIZE):
                out.write(piece)
            out.write(ustar.END)
            out.close()
            self._file.commit()
        except BaseException:
            self._file.discard()
            raise
        finally:
            out.stop()
            self._payload.discard()

    def abort(self) -> None:
        """Remove the unfinished package."""
        self._payload.discard()
        self._file.discard()


class Bz2Stream:
    """One bzip2 stream into `out`, compressed by several threads; `level` as of bzip2.

    A bzip2 stream is a sequence of independent blocks, so pieces can be compressed separately.
    Concatenated as streams of their own they would be a valid file of which rattler reads only the
    first piece. So the blocks are taken out of their streams and joined bit by bit into one, with
    one header and one checksum at the end; blocks do not begin at whole bytes. The bytes do not
    depend on the number of threads.
    """

    def __init__(self, out: BinaryIO, level: int = 9, threads: int = 0) -> None:
        self._out = out
        self._level = level
        self._threads = min(threads or os.cpu_count() or 1, _MOST_THREADS)
        self._waiting = bytearray()
        self._pool: ThreadPoolExecutor | None = None
        self._pending: deque[Future[bytes]] = deque()
        self._bits = 0
        self._count = 0
        self._check = 0
        out.write(b"BZh%d" % level)

    def write(self, data: bytes) -> None:
        """Compress bytes, as soon as there are enough of them."""
        self._waiting += data
        while len(self._waiting) >= BZ2_PIECE:
            self._send(bytes(self._waiting[:BZ2_PIECE]))
            del self._waiting[:BZ2_PIECE]

    def close(self) -> None:
        """Write the rest and the end of the stream; `out` stays open."""
        if self._waiting and self._pool is None:  # a small file: no thread is worth its start
            self._join(bz2.compress(bytes(self._waiting), self._level))
        elif self._waiting:
            self._send(bytes(self._waiting))
        while self._pending:
            self._join(self._pending.popleft().result())
        self._put(_END << 32 | self._check, 80)
        self._put(0, -self._count % 8)
        self.stop()

    def stop(self) -> None:
        """Stop the threads; safe to call twice."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            self._pool = None

    def _send(self, piece: bytes) -> None:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._threads)
        self._pending.append(self._pool.submit(bz2.compress, piece, self._level))
        while len(self._pending) > self._threads:
            self._join(self._pending.popleft().result())

    def _join(self, stream: bytes) -> None:
        """Take the blocks out of a stream and append them."""
        bits, count, checks = extract_blocks(stream)
        for check in checks:
            self._check = _fold_one(self._check, check)
        self._put(bits, count)

    def _put(self, bits: int, count: int) -> None:
        self._bits = self._bits << count | bits
        self._count += count
        rest = self._count % 8
        self._out.write((self._bits >> rest).to_bytes(self._count // 8, "big"))
        self._bits &= (1 << rest) - 1
        self._count = rest


def extract_blocks(stream: bytes) -> tuple[int, int, list[int]]:
    """Return the blocks of one stream as a number, its bits, and each block's checksum."""
    number = int.from_bytes(stream, "big")
    padding = next(n for n in range(8) if number >> (n + 32) & 0xFFFFFFFFFFFF == _END)
    total = number >> padding & _ONES
    count = len(stream) * 8 - 32 - 80 - padding
    bits = number >> (80 + padding) & ((1 << count) - 1)
    checks = _find_checksums(bits, count)
    if _fold(checks) != total:  # 48 bits in the data that look like a block's beginning
        without = (checks[:n] + checks[n + 1 :] for n in range(1, len(checks)))
        checks = next(fewer for fewer in without if _fold(fewer) == total)
    return bits, count, checks


def _find_checksums(bits: int, count: int) -> list[int]:
    """Return the checksums that follow each beginning of a block, in order."""
    found = {}
    mark = _BLOCK.to_bytes(6, "big")
    for shift in range(8):
        size = (count + 7) // 8 + 1
        data = (bits << shift).to_bytes(size, "big")
        at = data.find(mark)
        while at >= 0:
            start = at * 8 - (size * 8 - count - shift)
            found[start] = bits >> (count - start - 80) & _ONES
            at = data.find(mark, at + 1)
    return [check for _, check in sorted(found.items())]


def _fold(checks: list[int]) -> int:
    total = 0
    for check in checks:
        total = _fold_one(total, check)
    return total


def _fold_one(total: int, check: int) -> int:
    return ((total << 1 | total >> 31) & _ONES) ^ check
