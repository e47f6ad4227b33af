"""Writes `.tar.bz2` conda packages: one tar with info/ first, as conda-build packs it.

Clients that want the metadata alone stop reading after info/. What info/ says is known only when
all files were added, so these wait uncompressed in a file beside the target.
"""

from __future__ import annotations

import os

from twofold.formats import ustar
from twofold.formats.bz2_stream import Bz2Stream
from twofold.formats.conda_info import PackedPath, make_info_files
from twofold.formats.conda_writer import EARLIEST_ZIP_TIME, PIECE_SIZE
from twofold.formats.unfinished import Unfinished

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from twofold.conda_metadata import CondaPackage
    from twofold_build.archive import Content, Entry


class TarBz2Writer:
    """A `Writer` of one conda package. `target` is the final path, `<stem>.tar.bz2`."""

    def __init__(self, target: Path | str, package: CondaPackage, level: int = 9) -> None:
        """`level` is bzip2's block size in units of 100 kB; 9 is what conda-build uses."""
        self.package = package
        self.paths: list[PackedPath] = []
        self._level = level
        self._mtime = package.timestamp // 1000 or EARLIEST_ZIP_TIME
        self._file = Unfinished(os.fspath(target))
        try:
            self._payload = Unfinished(os.fspath(target) + ".payload")
        except BaseException:
            self._file.discard()
            raise

    def add(self, entry: Entry, content: Content, placeholder: str = "") -> None:
        """Add a file; `entry.path` is where it lies in the package."""
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
        self._payload.discard()
        self._file.discard()
