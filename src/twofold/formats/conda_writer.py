"""Writes `.conda` packages: a zip of stored members around two tar.zst archives.

Traps of the format: the inner names must repeat the file's own stem, or conda raises
LookupError; `metadata.json` is the zip's first member. The payload is compressed as it is added,
so the compressor's window bounds the memory, not the size of the package.
"""

from __future__ import annotations

import os

from twofold.formats import ustar
from twofold.formats.conda_info import PackedPath, make_info_files
from twofold.formats.light import zstd
from twofold.formats.stored_zip import StoredZip
from twofold_build.atomic import AtomicFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content, Entry

#: The level of everyday builds, chosen by measurement: docs/explanation/speed-of-conversion.md.
FAST_LEVEL = 11
#: The level of `twofold build` and of a registry's converted packages, which must be the same
#: bytes: a third of the time of FAST_LEVEL for a tenth more bytes.
BUILD_LEVEL = 5
#: The level of `--release`.
SMALLEST_LEVEL = 19
#: Payloads up to this many bytes are compressed at once: threads would cost more than they save.
ONE_SHOT_LIMIT = 1 << 20
#: The compressor is given this many bytes at a time (many small calls hold the interpreter up).
PIECE_SIZE = 1 << 18
#: The first date a zip can hold; for packages that name none.
EARLIEST_ZIP_TIME = 315532800


class CondaWriter:
    """A `Writer` of one conda package. `target` is the final path, `<stem>.conda`."""

    def __init__(
        self, target: Path | str, package: CondaPackage, level: int = 0, threads: int = 0
    ) -> None:
        """`level` 0 is `FAST_LEVEL`; `threads` 0 is one per core and never changes the bytes."""
        self.package = package
        self.paths: list[PackedPath] = []
        self._level = level = level or FAST_LEVEL
        self._mtime = package.timestamp // 1000 or EARLIEST_ZIP_TIME
        self._file = AtomicFile(target)
        try:
            self._zip = StoredZip(self._file.stream)
            self._zip.write("metadata.json", b'{"conda_pkg_format_version": 2}')
            self._payload = _Payload(self._zip, f"pkg-{package.stem}.tar.zst", level, threads)
        except BaseException:
            self._file.discard()
            raise

    def add(self, entry: Entry, content: Content, placeholder: str = "") -> None:
        """Add a file; `entry.path` is its path in the package."""
        self._payload.write(
            ustar.make_header(entry.path, len(content.data), self._mtime, entry.executable)
        )
        self._payload.write(content.data)
        self._payload.write(ustar.make_padding(len(content.data)))
        self.paths.append(PackedPath(entry.path, content.sha256, len(content.data), placeholder))

    def add_pieces(self, entry: Entry, size: int, pieces: Iterable[bytes]) -> bytes:
        """Add a large file piece by piece; `size` must be right. Returns its SHA-256 (raw)."""
        import hashlib

        digest = hashlib.sha256()
        seen = 0
        self._payload.write(ustar.make_header(entry.path, size, self._mtime, entry.executable))
        for piece in pieces:
            digest.update(piece)
            seen += len(piece)
            self._payload.write(piece)
        if seen != size:
            raise ValueError(f"{entry.path}: {seen} bytes came where {size} were announced")
        self._payload.write(ustar.make_padding(size))
        self.paths.append(PackedPath(entry.path, digest.digest(), size, placeholder=""))
        return digest.digest()

    def close(self) -> None:
        """Write info/ and move the file under its final name."""
        try:
            self._payload.end()
            info = b"".join(
                piece
                for path, data in make_info_files(self.package, self.paths)
                for piece in (
                    ustar.make_header(path, len(data), self._mtime),
                    data,
                    ustar.make_padding(len(data)),
                )
            )
            packed = zstd.compress(info + ustar.END, self._level)
            self._zip.write(f"info-{self.package.stem}.tar.zst", packed)
            self._zip.close()
            self._file.commit()
        except BaseException:
            self._file.discard()
            raise

    def abort(self) -> None:
        """Remove the unfinished package."""
        self._file.discard()


class _Payload:
    """The inner archive of the files: compressed at once if small, else as a stream."""

    def __init__(self, archive: StoredZip, name: str, level: int, threads: int) -> None:
        self._zip = archive
        self._name = name
        self._level = level
        self._threads = threads or os.cpu_count() or 1
        self._buffer = bytearray()
        self._stream: _Stream | None = None

    def write(self, data: bytes) -> None:
        if self._stream is not None and len(data) >= PIECE_SIZE:
            # Large enough to pass on without copying it.
            self._flush()
            self._stream.write(data)
            return
        self._buffer += data
        if len(self._buffer) >= (PIECE_SIZE if self._stream else ONE_SHOT_LIMIT):
            self._flush()

    def _flush(self) -> None:
        if self._stream is None:
            self._stream = _Stream(self._zip, self._name, self._level, self._threads)
        if self._buffer:
            self._stream.write(bytes(self._buffer))
            self._buffer = bytearray()

    def end(self) -> None:
        self._buffer += ustar.END
        if self._stream is None:
            self._zip.write(self._name, zstd.compress(bytes(self._buffer), self._level))
        else:
            self._stream.write(bytes(self._buffer))
            self._stream.end()


def _window_parameters(level: int) -> dict[str, int]:
    """Return the compressor's window, and how much each thread takes at a time (bytes).

    Wider than zstd's own choice from level 10 on: 2 to 4 % smaller for the same time. An
    installer needs as much memory as the window: 16 MiB, and 32 for `--release`. A build's threads
    take little at a time: 0.15 % larger, in a third of the memory (28 MB where it was 82).
    """
    if level <= BUILD_LEVEL:
        return {"job_size": 1 << 20}
    if level < 10:
        return {}
    return {"window_log": 25 if level >= SMALLEST_LEVEL else 24, "job_size": 16 << 20}


class _Stream:
    """A zstandard frame compressed by threads into a member of the zip.

    zstd's output does not depend on the number of threads, only on whether there are any: so
    there is at least one, and packages are the same on every machine.
    """

    def __init__(self, archive: StoredZip, name: str, level: int, threads: int) -> None:
        self._member = archive.begin(name)
        self._compressor = zstd.make_compressor(level, threads, **_window_parameters(level))

    def write(self, data: bytes) -> None:
        packed = self._compressor.compress(data)
        if packed:
            self._member.write(packed)

    def end(self) -> None:
        self._member.write(self._compressor.flush())
        self._member.end()
