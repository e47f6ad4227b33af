"""What goes into an archive, and what can take it: entries, their content, and writers.

A file of the project is read once, hashed once and compressed once (`Content`) and then handed to
every writer, so that sdist, wheel and conda package are written side by side.
"""

from __future__ import annotations

import os

from twofold_build.atomic import hold

try:  # hashlib's own module costs 2.5 ms to import; what it wraps costs nothing
    from _hashlib import openssl_md5 as _md5
    from _hashlib import openssl_sha256 as _sha256
except ImportError:
    from hashlib import md5 as _md5
    from hashlib import sha256 as _sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hashlib import _Hash
    from typing import Protocol

    class Writer(Protocol):
        """Takes entries in order and makes an archive of them.

        The file stands under its final name only after `close`; `abort` leaves nothing.
        The dry run is the real run with a writer that only lists.
        """

        def add(self, entry: Entry, content: Content) -> None: ...

        def close(self) -> None: ...

        def abort(self) -> None: ...


class Entry:
    """One file to pack.

    `path` is relative, with `/`, already checked to stay inside. The bytes come from
    `source` (a file) or from `data` (generated). `reason` says why the file is in, for
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

    `segment` and `crc` are made when first asked for, and kept.
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
            from twofold_build.deflate import segment

            self._segment = segment(self.data)
        return self._segment

    @property
    def crc(self) -> int:
        """The CRC-32 of the bytes."""
        if self._crc is None:
            from twofold_build.deflate import crc32

            self._crc = crc32(self.data)
        return self._crc


def new_sha256() -> _Hash:
    """A SHA-256 to be fed."""
    return _sha256()


def new_md5() -> _Hash:
    """An MD5 to be fed: for old clients' eyes, never for trust."""
    return _md5(usedforsecurity=False)


def to_content(data: bytes) -> Content:
    """Bytes with their hash."""
    return Content(data, _sha256(data).digest())


def read_content(source: str | os.PathLike[str]) -> Content:
    """A file's content, read in one go."""
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


class AtomicFile:
    """A file that is written under a temporary name beside its place and moved there when done.

    What a kill leaves of it, the next build removes (`leftovers`).
    `size` (bytes) and `sha256` (lower-case hex) are those of what was written so far.
    """

    __slots__ = ("_file", "_hash", "path", "size", "temporary")

    def __init__(self, path: str) -> None:
        self.path = path
        folder, name = os.path.split(path)
        os.makedirs(folder or ".", exist_ok=True)
        self.temporary = os.path.join(folder, f".{name}.{os.getpid()}.part")
        self._file = open(self.temporary, "wb", buffering=1 << 18)  # noqa: SIM115 (kept open)
        hold(self._file)
        self._hash = new_sha256()
        self.size = 0

    def write(self, data: bytes) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()

    def commit(self) -> None:
        """Put the file in its place; what stood there before is replaced at once."""
        try:
            self._file.close()
            os.replace(self.temporary, self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave nothing."""
        try:  # noqa: SIM105  (contextlib is 3 ms of a small build)
            self._file.close()
        except OSError:
            pass  # a full disk: what still waits need not be written
        if os.path.exists(self.temporary):
            os.remove(self.temporary)
