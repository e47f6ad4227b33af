"""Size, SHA-256 and MD5 of a file, as indexes and channels list them.

Apart from `twofold.artifact`, whose dataclasses take longer to import than a folder to be indexed.
"""

from __future__ import annotations

from twofold_build.archive import new_md5, new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class FileHasher:
    """Hashes a file whose bytes pass by."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = new_sha256()
        self.md5 = new_md5()

    def update(self, block: bytes) -> None:
        """Add the next bytes."""
        self.size += len(block)
        self.sha256.update(block)
        self.md5.update(block)

    def finish(self) -> tuple[int, str, str]:
        """Return size in bytes, SHA-256 and MD5 (lower-case hex)."""
        return self.size, self.sha256.hexdigest(), self.md5.hexdigest()


def compute_hashes(data: bytes) -> tuple[int, str, str]:
    """Return size, SHA-256 and MD5 (lower-case hex) of bytes in memory."""
    md5 = new_md5()
    md5.update(data)
    return len(data), new_sha256(data).hexdigest(), md5.hexdigest()


#: From this size (bytes) a file is hashed by two threads: MD5 takes longer than SHA-256.
_TWO_THREADS = 16 << 20


def compute_file_hashes(path: Path) -> tuple[int, str, str]:
    """Return size in bytes, SHA-256 and MD5 (lower-case hex) of a file."""
    hasher = FileHasher()
    if path.stat().st_size < _TWO_THREADS:
        _feed(path, hasher.update)
        return hasher.finish()
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as other:
        fed = other.submit(_feed, path, hasher.md5.update)
        hasher.size = _feed(path, hasher.sha256.update)
        fed.result()
    return hasher.finish()


def _feed(path: Path, update: Callable[[bytes], None]) -> int:
    """Give a file to a hash, which lets other threads run meanwhile; return its size in bytes."""
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            update(block)
            size += len(block)
    return size
