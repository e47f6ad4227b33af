"""Headers of tar members, written by hand: importing tarfile costs more than a small build.

Also the numbers of headers that are read, as fast as Python can: an index reads thousands.

POSIX ustar; a pax header (POSIX.1-2001) precedes a path, or a size over 8 GiB, that does not fit.
Owners are root by number, without names, so archives are the same everywhere.
"""

from __future__ import annotations

from zlib import adler32

BLOCK = 512
#: Two empty blocks end an archive; tarfile and GNU tar fill up to 20 blocks, nobody needs it.
END = bytes(2 * BLOCK)

_EIGHT_GIB = 8**11


def make_header(path: str, size: int, mtime: int, executable: bool = False) -> bytes:
    """Return the header of a regular file, after a pax header where one is needed.

    `path` is relative with `/`; `size` in bytes, `mtime` in seconds UTC.
    """
    mode = 0o755 if executable else 0o644
    name = path.encode()
    split = _split_path(name)
    if split is not None and size < _EIGHT_GIB and path.isascii():
        return _make_block(split[1], split[0], size, mtime, mode, b"0")
    records = _make_pax_record("path", name)
    if size >= _EIGHT_GIB:
        records += _make_pax_record("size", str(size).encode())
        size = 0
    return (
        _make_block(b"pax_header", b"", len(records), mtime, 0o644, b"x")
        + records
        + make_padding(len(records))
        + _make_block(name[:100], b"", size, mtime, mode, b"0")
    )


def make_padding(size: int) -> bytes:
    """Return the zeros that fill a member's data up to a whole block."""
    return bytes(-size % BLOCK)


def _split_path(name: bytes) -> tuple[bytes, bytes] | None:
    """Split a path into ustar's prefix and name; None if it does not fit."""
    if len(name) <= 100:
        return b"", name
    at = name.rfind(b"/", 0, 156)
    if at <= 0 or len(name) - at - 1 > 100 or len(name) == at + 1:
        return None
    return name[:at], name[at + 1 :]


def _make_block(name: bytes, prefix: bytes, size: int, mtime: int, mode: int, kind: bytes) -> bytes:
    before = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0" % (
        name.ljust(100, b"\0"),
        mode,
        0,
        0,
        size,
        mtime,
    )
    after = b"%s%s%s%s%s%s" % (
        kind,
        bytes(100),
        b"ustar\00000",
        bytes(64),
        b"0000000\0" * 2,
        prefix.ljust(167, b"\0"),
    )
    # The checksum counts its own field as eight spaces.
    return b"%s%06o\0 %s" % (before, sum(before) + sum(after) + 8 * 32, after)


def _make_pax_record(key: str, value: bytes) -> bytes:
    """Return a pax record, `length key=value`, where length counts its own digits."""
    rest = b" %s=%s\n" % (key.encode(), value)
    length = len(rest)
    while len(str(length)) + len(rest) != length:
        length = len(str(length)) + len(rest)
    return str(length).encode() + rest


def add_bytes(block: bytes) -> int:
    """Add the bytes of a header; Adler-32 has their sum plus one, and exactly up to 256 bytes."""
    return (adler32(block[:256]) & 0xFFFF) + (adler32(block[256:]) & 0xFFFF) - 2


#: Numbers that were read: owners, modes and times repeat. functools costs 1 ms of a small build.
_numbers: dict[bytes, int | None] = {}
_MAX_NUMBERS = 4096


def read_number(field: bytes) -> int | None:
    """Read a number of a header; None for invalid digits."""
    if field not in _numbers:
        if len(_numbers) == _MAX_NUMBERS:
            _numbers.clear()
        _numbers[field] = _parse_number(field)
    return _numbers[field]


def _parse_number(field: bytes) -> int | None:
    if field[0] == 0xFF:  # GNU's form for negative numbers, as times before 1970
        return int.from_bytes(field, "big", signed=True)
    if field[0] >= 0x80:  # GNU's form for large numbers
        return int.from_bytes(field, "big") & ((1 << (8 * len(field) - 1)) - 1)
    text = field.strip(b" \0")
    if text.strip(b"01234567"):  # int() takes more: '0o17', '1_7', '+17'
        return None
    return int(text or b"0", 8)
