"""The numbers in headers of tar archives, read as fast as Python can: an index reads thousands."""

from __future__ import annotations

from functools import lru_cache
from zlib import adler32


def add_bytes(block: bytes) -> int:
    """Add the bytes of a header; Adler-32 has their sum plus one, and exactly up to 256 bytes."""
    return (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2


@lru_cache(maxsize=4096)
def read_number(field: bytes) -> int | None:
    """Read a number of a header; None for what is none. Owners, modes and times repeat."""
    if field[0] == 0xFF:  # GNU's form for negative numbers, as times before 1970
        return int.from_bytes(field, "big", signed=True)
    if field[0] >= 0x80:  # GNU's form for large numbers
        return int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
    text = field.strip(b" \0")
    if text.strip(b"01234567"):  # int() takes more: '0o17', '1_7', '+17'
        return None
    return int(text or b"0", 8)
