"""What a folder and a bucket have in common: they keep objects by their hash, and check nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """An object in a listing of the store."""

    sha256: str
    size: int
    written_at: datetime


class BlobVersion(NamedTuple):
    """What changes when an object's bytes change: S3's ETag or a file's time, and its size."""

    mark: str | int
    size: int


class BlobReader(Protocol):
    """An object that is read in parts. A local file can be deleted meanwhile."""

    def read_part(self, start: int, end: int) -> tuple[bytes, BlobVersion]:
        """Return the bytes from `start` to `end`, fewer at the object's end, and its version."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class BlobBackend(Protocol):
    """Objects by hash. Raises FileNotFoundError for a missing one, and StoreUnreachable."""

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes durably."""
        ...

    def flush(self, path: Path) -> None:
        """Write to the disk what the system holds of a file that `take` is called with later."""
        ...

    def take(self, sha256: str, path: Path) -> None:
        """Store durably a file that nobody writes any more, as `put` does or by a link to it."""
        ...

    def read(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return all bytes and their version."""
        ...

    async def read_soon(self, sha256: str) -> tuple[bytes, BlobVersion]:
        """Return what `read` does, without a thread."""
        ...

    def open(self, sha256: str) -> BlobReader:
        """Open an object to read it in parts. The caller closes it."""
        ...

    def find_version(self, sha256: str) -> BlobVersion:
        """Return the version of an object."""
        ...

    def delete(self, sha256: str) -> None:
        """Delete an object, if it exists."""
        ...

    def list_all(self) -> Iterator[StoredBlob]:
        """Yield every object, in no order."""
        ...

    def list_leftovers(self, before: datetime) -> list[Path]:
        """List temporary files of killed writers, last written before a time."""
        ...

    def check_reachable(self) -> None:
        """Check that the objects can be listed now. Raises StoreUnreachable or OSError."""
        ...


def make_key(sha256: str) -> str:
    """Return the path of an object below the folder, or in the bucket."""
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"
