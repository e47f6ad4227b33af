"""Size, SHA-256 and MD5 of a file, as indexes and channels list them.

Apart from `twofold.artifact`, whose dataclasses take longer to import than a folder to be indexed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


class FileHasher:
    """Hashes a file whose bytes pass by."""

    def __init__(self) -> None:
        self.size = 0
        self.sha256 = hashlib.sha256()
        self.md5 = hashlib.md5(usedforsecurity=False)

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
    md5 = hashlib.md5(data, usedforsecurity=False)
    return len(data), hashlib.sha256(data).hexdigest(), md5.hexdigest()


def compute_file_hashes(path: Path) -> tuple[int, str, str]:
    """Return size in bytes, SHA-256 and MD5 (lower-case hex) of a file, in one pass."""
    hasher = FileHasher()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            hasher.update(block)
    return hasher.finish()
