"""Archives without their members' dates: what a backend built twice of the same files is the same.

zip: APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16; gzip: RFC 1952; tar: POSIX.1-2017, pax.
"""

from __future__ import annotations

_END, _END_SIZE = b"PK\5\6", 22
_CENTRAL, _CENTRAL_SIZE = b"PK\1\2", 46
_LOCAL = b"PK\3\4"
_NOTHING = bytes(4)
#: A tar's blocks, and in a header the size, the time with the checksum, and the kind.
_BLOCK, _SIZE, _TIME, _KIND = 512, slice(124, 136), slice(136, 156), 156
_EXTENDED = b"xg"


def clear_zip_dates(data: bytes) -> bytes:
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


def clear_tar_dates(data: bytes) -> bytes:
    """Return a tar with the time of each member 0; one of another form as it is."""
    cleared = bytearray(data)
    at = 0
    while at + _BLOCK <= len(data):
        header = data[at : at + _BLOCK]
        size = header[_SIZE].strip(b" \0")
        if size.strip(b"01234567"):
            return data
        body = at + _BLOCK
        length = int(size or b"0", 8)
        cleared[at + _TIME.start : at + _TIME.stop] = bytes(_TIME.stop - _TIME.start)
        if header[_KIND] in _EXTENDED:
            records = data[body : body + length].splitlines(keepends=True)
            kept = b"".join(record for record in records if b" mtime=" not in record[:32])
            cleared[body : body + length] = kept.ljust(length, b"\0")
            cleared[at + _SIZE.start : at + _SIZE.stop] = bytes(_SIZE.stop - _SIZE.start)
        at = body + -(-length // _BLOCK) * _BLOCK
    return bytes(cleared)


def unpack_whole(data: bytes, most: int) -> bytes | None:
    """Return what one gzip stream holds; None above `most` bytes, or for a damaged one."""
    import zlib

    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, most)
    except zlib.error:
        return None
    is_whole = unpacker.eof and not unpacker.unused_data
    return unpacked if is_whole else None
