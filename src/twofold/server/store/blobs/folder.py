"""Objects in a local folder."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from twofold.server.store.blobs.backend import BlobReader, BlobVersion, StoredBlob, make_key
from twofold.shared_files import open_shared

#: Whether a stored file may be a link to an upload. Windows renames no file that is being read
#: under another name.
_HAS_LINKS = os.name != "nt"

#: Size of one read while a file is copied (bytes).
_BLOCK = 1 << 20


class BlobFolder:
    """Objects in a folder, which is created if necessary."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes durably: they survive a kill and a power cut."""
        self._store(sha256, path, _copy)

    def flush(self, path: Path) -> None:
        """Write to the disk what the system holds of a file."""
        if _HAS_LINKS:
            _sync(path)

    def take(self, sha256: str, path: Path) -> None:
        """Store a file durably that nobody writes any more, by a link where there are links."""
        self._store(sha256, path, _link if _HAS_LINKS else _copy)

    def _store(self, sha256: str, path: Path, make: Callable[[Path, Path], None]) -> None:
        target = self.folder / make_key(sha256)
        if _is_stored(target, sha256):
            return
        self._make_folder(target.parent)
        part = target.with_name(f".{sha256}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            make(path, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        _sync(target.parent)

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, durably."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync(folder.parent)

    def read(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return all bytes and their version."""
        # Not by pathlib and unbuffered: this is the hot path of every small file.
        with open(f"{self.folder}/{make_key(sha256)}", "rb", buffering=0) as file:  # noqa: PTH123
            found = os.fstat(file.fileno())
            return file.read(), BlobVersion(found.st_mtime_ns, found.st_size)

    async def read_soon(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return what `read` does: a small local file is there at once."""
        return self.read(sha256)

    def open(self, sha256: str) -> BlobReader:
        """Open an object; it stays readable when it is deleted. The caller closes it."""
        return _FileReader(self.folder / make_key(sha256))

    def find_version(self, sha256: str) -> BlobVersion:
        """Return the version of an object."""
        return _make_version((self.folder / make_key(sha256)).stat())

    def delete(self, sha256: str) -> None:
        """Delete an object, if it exists."""
        (self.folder / make_key(sha256)).unlink(missing_ok=True)

    def list_all(self) -> Iterator[StoredBlob]:
        """Yield every object, in no order."""
        yield from _list_files(self.folder / "blobs")

    def list_leftovers(self, before: datetime) -> list[Path]:
        """List temporary files of killed writers, last written before a time."""
        return [
            part
            for part in self.folder.rglob(".*.part")
            if datetime.fromtimestamp(part.stat().st_mtime, UTC) < before
        ]

    def check_reachable(self) -> None:
        """Check that the folder exists. Raises FileNotFoundError."""
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder}: no such folder")


class _FileReader:
    def __init__(self, path: Path) -> None:
        self._file = os.fdopen(open_shared(path, os.O_RDONLY), "rb", buffering=0)

    def read_part(self, start: int, end: int) -> tuple[bytes, BlobVersion]:
        """Return the bytes from `start` to `end`, fewer at the file's end, and its version."""
        self._file.seek(start)
        return self._file.read(end - start) or b"", _make_version(os.fstat(self._file.fileno()))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _is_stored(target: Path, sha256: str) -> bool:
    """Whether the right bytes are there; garbage collection then sees that they are in use."""
    try:
        with target.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                return False
        os.utime(target)
    except FileNotFoundError:
        return False  # perhaps garbage collection deleted it just now
    return True


def _make_version(found: os.stat_result) -> BlobVersion:
    return BlobVersion(found.st_mtime_ns, found.st_size)


def _list_files(folder: Path) -> Iterator[StoredBlob]:
    """Yield the objects in a folder and those below; what is deleted meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _list_files(Path(entry.path))
        elif len(entry.name) == 64:
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            written = datetime.fromtimestamp(found.st_mtime, UTC)
            yield StoredBlob(entry.name, found.st_size, written)


def _copy(path: Path, part: Path) -> None:
    """Copy a file durably."""
    with path.open("rb") as source, part.open("wb") as copy:
        while block := source.read(_BLOCK):
            copy.write(block)
        copy.flush()
        os.fsync(copy.fileno())


def _link(path: Path, part: Path) -> None:
    """Link a file durably, or copy it to another disk; garbage collection sees it as new."""
    try:
        os.link(path, part)
    except OSError:
        _copy(path, part)
        return
    os.utime(part)
    _sync(part)


def _sync(path: Path) -> None:
    """Make a file's bytes, or a rename in a folder, durable.

    Windows does not open folders so, and does not need it.
    """
    if os.name == "nt":
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
