"""Size and hashes of a file, as both worlds' indexes tell them."""

from __future__ import annotations

import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path


def compute_hashes(data: bytes) -> tuple[int, str, str]:
    """The same of bytes in memory."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    return len(data), hashlib.sha256(data).hexdigest(), md5.hexdigest()


def compute_file_hashes(path: Path) -> tuple[int, str, str]:
    """Size in bytes, SHA-256 and MD5 (lower-case hex) of a file, in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return size, sha256.hexdigest(), md5.hexdigest()
