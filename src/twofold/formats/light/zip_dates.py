"""A zip without its members' dates: what a backend built twice of the same files is then the same.

APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16.
"""

from __future__ import annotations

_END, _END_SIZE = b"PK\5\6", 22
_CENTRAL, _CENTRAL_SIZE = b"PK\1\2", 46
_LOCAL = b"PK\3\4"
_NOTHING = bytes(4)


def clear_dates(data: bytes) -> bytes:
    """Return a zip with the time and date of each member 0; one of another form as it is."""
    end = len(data) - _END_SIZE
    if end < 0 or data[end : end + 4] != _END:
        return data  # with a comment, or no zip
    cleared = bytearray(data)
    count, at = _number(data, end + 10, 2), _number(data, end + 16, 4)
    for _ in range(count):
        start = _number(data, at + 42, 4)
        if data[at : at + 4] != _CENTRAL or data[start : start + 4] != _LOCAL:
            return data
        cleared[at + 12 : at + 16] = _NOTHING
        cleared[start + 10 : start + 14] = _NOTHING
        at += _CENTRAL_SIZE + sum(_number(data, at + field, 2) for field in (28, 30, 32))
    return bytes(cleared) if at == end else data


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")
