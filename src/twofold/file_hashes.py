"""Size, SHA-256 and MD5 of a file, as indexes and channels list them.

Apart from `twofold.artifact`, whose dataclasses take longer to import than a folder to be indexed.
"""

from __future__ import annotations

import hashlib
from pathlib import Path


def compute_hashes(data: bytes) -> tuple[int, str, str]:
    """Return size, SHA-256 and MD5 (lower-case hex) of bytes in memory."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    return len(data), hashlib.sha256(data).hexdigest(), md5.hexdigest()


def compute_file_hashes(path: Path) -> tuple[int, str, str]:
    """Return size in bytes, SHA-256 and MD5 (lower-case hex) of a file, in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return size, sha256.hexdigest(), md5.hexdigest()
