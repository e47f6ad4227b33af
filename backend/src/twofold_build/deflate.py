"""Deflate, once for each file: the same compressed bytes go into the zip and into the tar.gz.

A segment is a raw deflate stream that ends on a byte with a sync flush and is not final. A zip
member is one segment and an empty last block; a .tar.gz is many segments after one another, and
one empty last block. So the sdist and the wheel share the work of compressing.

Reproducible bytes depend on the compressor: `isal` (ISA-L's igzip, level 2) where it is
installed, as it is with the tool `twofold`; `zlib` (level 6) in an isolated build of the backend
alone.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

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
