"""Archives of the form that nearly every backend writes, without the readers of any archive.

Their members are listed, and their members' dates are cleared: what a backend built twice of the
same files is then the same. Nothing is checked; the full readers refuse what is dangerous.

zip: APPNOTE 6.3.10, 4.3.7, 4.3.12 and 4.3.16; gzip: RFC 1952; tar: POSIX.1-2017, pax.
"""

from __future__ import annotations

import os

#: Archives up to this many bytes, packed and unpacked, are read as a whole.
MAX_WHOLE = 64 << 20

_END, _END_SIZE = b"PK\5\6", 22
_CENTRAL, _CENTRAL_SIZE = b"PK\1\2", 46
_LOCAL = b"PK\3\4"
_NOTHING = bytes(4)
#: The flag of names in UTF-8, and the bytes that each system takes as they are.
_UTF8 = 0x800
#: A tar's blocks, and in a header the size, the time with the checksum, and the kind.
_BLOCK, _SIZE, _TIME, _KIND = 512, slice(124, 136), slice(136, 156), 156
#: In a header the name, and, of the form named there, what stands before it.
_NAME, _FORM, _PREFIX = slice(0, 100), slice(257, 263), slice(345, 500)
_EXTENDED, _FILES, _FOLDER = b"xg", b"0\0", b"5"[0]


def list_wheel_files(path: str) -> list[str] | None:
    """The paths of the files in a wheel; None leaves it to the full reader."""
    data = _read_whole(path)
    headers = None if data is None else _find_zip_headers(data)
    if data is None or headers is None:
        return None
    names = []
    for at in headers:
        start = at + _CENTRAL_SIZE
        raw = data[start : start + _number(data, at + 28, 2)]
        if not raw.isascii() and not _number(data, at + 8, 2) & _UTF8:
            return None
        names.append(raw.decode("utf-8", "replace"))
    files = [name for name in names if not name.endswith("/")]
    return files if len(set(names)) == len(names) and all(map(_is_plain, names)) else None


def read_sdist_files(path: str) -> dict[str, bytes] | None:
    """Path -> bytes of the files in an sdist; None leaves it to the full reader."""
    packed = _read_whole(path)
    tar = None if packed is None else unpack_whole(packed)
    headers = None if tar is None else _find_tar_headers(tar)
    if tar is None or headers is None:
        return None
    files: dict[str, bytes] = {}
    extended: dict[bytes, bytes] = {}
    for at, length in headers:
        header, data = tar[at : at + _BLOCK], tar[at + _BLOCK : at + _BLOCK + length]
        kind = header[_KIND]
        if kind == _EXTENDED[0] and not extended:
            extended = _read_records(data)
            if not extended:
                return None
        elif kind in _FILES and any(header):
            member = extended.get(b"path", _read_name(header)).decode("utf-8", "replace")
            is_long = int(extended.get(b"size", b"%d" % length)) == length == len(data)
            if not is_long or member in files or not _is_plain(member):
                return None
            files[member] = data
            extended = {}
        elif kind == _FOLDER:
            extended = {}
        elif any(header):
            return None
    return files


def _read_name(header: bytes) -> bytes:
    name = header[_NAME].partition(b"\0")[0]
    prefix = header[_PREFIX].partition(b"\0")[0] if header[_FORM] == b"ustar\0" else b""
    return b"%b/%b" % (prefix, name) if prefix else name


def _read_records(body: bytes) -> dict[bytes, bytes]:
    """The records of an extended header; none of one that says more than name, size and times."""
    found: dict[bytes, bytes] = {}
    at = 0
    while at < len(body):
        digits, _, rest = body[at : at + 20].partition(b" ")
        end = at + int(digits) if digits.isdigit() else 0
        record = body[at + len(digits) + 1 : end]
        key, equals, value = record.partition(b"=")
        is_number = key != b"size" or value[:-1].isdigit()
        if not rest or not equals or record[-1:] != b"\n" or key in found or not is_number:
            return {}
        if key not in (b"path", b"size", b"mtime", b"atime", b"ctime"):
            return {}
        found[key] = value[:-1]
        at = end
    return found


def _is_plain(path: str) -> bool:
    """Whether every reader and every system takes a path as it is."""
    parts = path.removesuffix("/").split("/")
    is_text = path.isprintable() and "\ufffd" not in path and "\\" not in path and ":" not in path
    return is_text and all(part.strip(". ") for part in parts)


def _read_whole(path: str) -> bytes | None:
    with open(path, "rb", buffering=0) as stream:
        return stream.readall() if os.fstat(stream.fileno()).st_size <= MAX_WHOLE else None


def clear_zip_dates(data: bytes) -> bytes:
    """Return a zip with the time and date of each member 0; one of another form as it is."""
    headers = _find_zip_headers(data)
    if headers is None:
        return data
    cleared = bytearray(data)
    for at in headers:
        start = _number(data, at + 42, 4)
        cleared[at + 12 : at + 16] = _NOTHING
        cleared[start + 10 : start + 14] = _NOTHING
    return bytes(cleared)


def _find_zip_headers(data: bytes) -> list[int] | None:
    """Where the central header of each member begins; None for a zip of another form."""
    end = len(data) - _END_SIZE
    if end < 0 or data[end : end + 4] != _END:
        return None  # with a comment, or no zip
    found = []
    count, at = _number(data, end + 10, 2), _number(data, end + 16, 4)
    for _ in range(count):
        start = _number(data, at + 42, 4)
        if data[at : at + 4] != _CENTRAL or data[start : start + 4] != _LOCAL:
            return None
        found.append(at)
        at += _CENTRAL_SIZE + sum(_number(data, at + field, 2) for field in (28, 30, 32))
    return found if at == end else None


def _number(data: bytes, at: int, size: int) -> int:
    return int.from_bytes(data[at : at + size], "little")


def clear_tar_dates(data: bytes) -> bytes:
    """Return a tar with the time of each member 0; one of another form as it is."""
    headers = _find_tar_headers(data)
    if headers is None:
        return data
    cleared = bytearray(data)
    for at, length in headers:
        cleared[at + _TIME.start : at + _TIME.stop] = bytes(_TIME.stop - _TIME.start)
        if data[at + _KIND] in _EXTENDED:
            body = at + _BLOCK
            records = data[body : body + length].splitlines(keepends=True)
            kept = b"".join(record for record in records if b" mtime=" not in record[:32])
            cleared[body : body + length] = kept.ljust(length, b"\0")
            cleared[at + _SIZE.start : at + _SIZE.stop] = bytes(_SIZE.stop - _SIZE.start)
    return bytes(cleared)


def _find_tar_headers(data: bytes) -> list[tuple[int, int]] | None:
    """Where each header begins, and how many bytes belong to it; None for a tar of another form."""
    found = []
    at = 0
    while at + _BLOCK <= len(data):
        size = data[at + _SIZE.start : at + _SIZE.stop].strip(b" \0")
        if size.strip(b"01234567"):
            return None
        length = int(size or b"0", 8)
        found.append((at, length))
        at += _BLOCK + -(-length // _BLOCK) * _BLOCK
    return found


def unpack_whole(data: bytes) -> bytes | None:
    """Return what one gzip stream holds; None above `MAX_WHOLE` bytes, or for a damaged one."""
    import zlib

    unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        unpacked = unpacker.decompress(data, MAX_WHOLE)
    except zlib.error:
        return None
    is_whole = unpacker.eof and not unpacker.unused_data
    return unpacked if is_whole else None
