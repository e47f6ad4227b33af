"""Entries of an archive, their content, and the protocol of the archive writers.

A project file is read, hashed and compressed once (`Content`) and then passed to every writer, so
sdist, wheel and conda package are written side by side.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from hashlib import _Hash
    from typing import Protocol

    class Writer(Protocol):
        """Takes entries in order and writes an archive.

        The file has its final name only after `close`; `abort` leaves nothing.
        The dry run is the real run with a writer that only lists.
        """

        def add(self, entry: Entry, content: Content) -> None:
            """Add an entry."""
            ...

        def close(self) -> None:
            """Complete the file and move it into place."""
            ...

        def abort(self) -> None:
            """Remove the unfinished file."""
            ...


class Entry:
    """One file to pack.

    `path` is relative, with `/`, already checked to stay inside the archive. The bytes come from
    `source` (a file) or from `data` (generated). `reason` explains why the file is included, for
    `twofold build --list`.
    """

    __slots__ = ("data", "executable", "path", "reason", "source")

    def __init__(
        self,
        path: str,
        source: str | os.PathLike[str] | None = None,
        data: bytes | None = None,
        executable: bool = False,
        reason: str = "",
    ) -> None:
        self.path = path
        self.source = source
        self.data = data
        self.executable = executable
        self.reason = reason


class Content:
    """An entry's bytes and their SHA-256 (32 raw bytes), computed once for all writers.

    `segment` and `crc` are computed on first use and cached.
    """

    __slots__ = ("_crc", "_segment", "data", "sha256")

    def __init__(self, data: bytes, sha256: bytes) -> None:
        self.data = data
        self.sha256 = sha256
        self._segment: bytes | None = None
        self._crc: int | None = None

    @property
    def segment(self) -> bytes:
        """The bytes deflated, as `deflate.segment` makes them."""
        if self._segment is None:
            self._segment = segment(self.data)
        return self._segment

    @property
    def crc(self) -> int:
        """The CRC-32 of the bytes."""
        if self._crc is None:
            self._crc = crc32(self.data)
        return self._crc


#: Python's own functions hash so many bytes while OpenSSL, six times as quick, is still loaded.
_MAX_WITHOUT_OPENSSL = 512 << 10
#: SHA-256 and MD5, once they are chosen.
_hashes: list[Callable[..., _Hash]] = []


def choose_hashes(size: int) -> None:
    """Choose the hash functions for the build of `size` bytes, while OpenSSL is not loaded."""
    _hashes[:] = _find_own_hashes() if size <= _MAX_WITHOUT_OPENSSL else []


def _find_own_hashes() -> list[Callable[..., _Hash]]:
    """Python's own functions; without any where they were left out of it."""
    try:
        sha2 = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
        return [sha2.sha256, __import__("_md5").md5]
    except ImportError:
        return []


def _find_hashes() -> list[Callable[..., _Hash]]:
    """OpenSSL's functions, without hashlib's own module, which costs 2.5 ms."""
    try:
        from _hashlib import openssl_md5, openssl_sha256
    except ImportError:
        from hashlib import md5, sha256

        return [sha256, md5]
    return [openssl_sha256, openssl_md5]


def new_sha256(data: bytes = b"") -> _Hash:
    """Return the SHA-256 hash of bytes, to which more may be added."""
    return _get_hashes()[0](data)


def new_md5() -> _Hash:
    """Return an empty MD5 hash: old clients expect one, nothing relies on it."""
    return _get_hashes()[1](usedforsecurity=False)


def _get_hashes() -> list[Callable[..., _Hash]]:
    """The chosen functions; OpenSSL's once anything in the process has loaded it."""
    if not _hashes or (_hashes[0].__module__ != "_hashlib" and "_hashlib" in sys.modules):
        _hashes[:] = _find_hashes()
    return _hashes


def to_content(data: bytes) -> Content:
    """Return bytes as a Content, with their hash."""
    return Content(data, new_sha256(data).digest())


def read_content(source: str | os.PathLike[str]) -> Content:
    """Read a whole file."""
    handle = os.open(source, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        size = os.fstat(handle).st_size
        data = os.read(handle, size + 1)
        while True:
            more = os.read(handle, 1 << 20) if len(data) else b""
            if not more:
                break
            data += more
    finally:
        os.close(handle)
    return to_content(data)


class ListWriter:
    """Records (path, size in bytes, reason) of each entry, for `twofold build --list`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.entries: list[tuple[str, int, str]] = []

    def add(self, entry: Entry, content: Content) -> None:
        """Record an entry."""
        self.entries.append((entry.path, len(content.data), entry.reason))

    def close(self) -> None:
        """Do nothing: there is no file."""

    def abort(self) -> None:
        """Do nothing: there is no file."""


#: An empty block with fixed codes and the final bit: ends any row of segments.
END = b"\x03\x00"

try:
    from isal import isal_zlib as _isal

    COMPRESSOR = "isal"
    crc32: Callable[..., int] = _isal.crc32

    def segment(data: bytes) -> bytes:
        """Raw deflate of `data`, byte-aligned and open at its end."""
        deflater = _isal.compressobj(2, _isal.DEFLATED, -15)
        return bytes(deflater.compress(data) + deflater.flush(_isal.Z_SYNC_FLUSH))

except ImportError:
    import zlib as _zlib

    COMPRESSOR = "zlib"
    crc32 = _zlib.crc32

    def segment(data: bytes) -> bytes:
        """Raw deflate of `data`, byte-aligned and open at its end."""
        deflater = _zlib.compressobj(6, _zlib.DEFLATED, -15)
        return deflater.compress(data) + deflater.flush(_zlib.Z_SYNC_FLUSH)
