"""Writes sdists (PEP 517, 625, 643): the project's files below one folder, and PKG-INFO.

The .tar.gz of plain files is written by hand (POSIX ustar, pax headers where needed). Owners are 0
without names, modes 0644 or 0755, one fixed time: it holds no trace of the machine.
"""

from __future__ import annotations

import os
from struct import pack

from twofold_build.archive import END, Content, Entry, crc32, segment
from twofold_build.atomic import AtomicFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold_build.plan import BuildPlan

_BLOCK = 512
_MAX_OCTAL_SIZE = 0o77777777777
#: gzip (RFC 1952): deflate, no flags, no time, no level, unknown system.
_GZIP = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def format_sdist_filename(stem: str) -> str:
    """Return the file name of the sdist (PEP 625)."""
    return f"{stem}.tar.gz"


def make_sdist_writer(folder: str, plan: BuildPlan) -> TarGzWriter:
    """Return a writer of the plan's sdist in `folder`."""
    stem = plan.project.file_stem
    return TarGzWriter(os.path.join(folder, format_sdist_filename(stem)), stem, plan.when)


class TarGzWriter:
    """Writes entries into `path`, below the folder `top`. `when` is in seconds of UTC."""

    def __init__(self, path: str, top: str, when: int) -> None:
        self.file = AtomicFile(path)
        self._top = top
        self._when = when
        self._crc = 0
        self._size = 0
        self._padding = 0
        self.file.write(_GZIP)

    def add(self, entry: Entry, content: Content) -> None:
        """Add a file below the top folder."""
        size = len(content.data)
        name = f"{self._top}/{entry.path}"
        self._write_plain(
            bytes(self._padding) + make_tar_header(name, size, entry.executable, self._when)
        )
        if size:
            self.file.write(content.segment)
            self._crc = crc32(content.data, self._crc)
            self._size += size
        self._padding = -size % _BLOCK

    def close(self) -> None:
        """Write the end of both formats and move the file into place."""
        self._write_plain(bytes(self._padding + 2 * _BLOCK))
        self.file.write(END + pack("<LL", self._crc, self._size & 0xFFFFFFFF))
        self.file.commit()

    def abort(self) -> None:
        """Remove the unfinished file."""
        self.file.discard()

    def _write_plain(self, data: bytes) -> None:
        self.file.write(segment(data))
        self._crc = crc32(data, self._crc)
        self._size += len(data)


def make_tar_header(name: str, size: int, executable: bool, when: int) -> bytes:
    """Return the header block of a file, after a pax header where ustar is not enough."""
    pax = {}
    raw = name.encode()
    prefix = b""
    if len(raw) > 100 or not name.isascii():
        cut = raw.rfind(b"/", 0, 156) if name.isascii() else -1
        if cut > 0 and len(raw) - cut - 1 <= 100:
            prefix, raw = raw[:cut], raw[cut + 1 :]
        else:
            pax["path"] = name
            raw = name.encode("ascii", "replace")[:100]
    if size > _MAX_OCTAL_SIZE:
        pax["size"] = str(size)
    before = b""
    if pax:
        records = b"".join(_make_pax_record(key, value) for key, value in sorted(pax.items()))
        before = _make_block(b"PaxHeaders/" + raw[-80:], b"", 0o644, len(records), when, b"x")
        before += records + bytes(-len(records) % _BLOCK)
    mode = 0o755 if executable else 0o644
    return before + _make_block(raw, prefix, mode, min(size, _MAX_OCTAL_SIZE), when, b"0")


def _make_pax_record(key: str, value: str) -> bytes:
    """Return `length key=value\\n`, where length counts itself."""
    body = f" {key}={value}\n".encode()
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length += 1
    return str(length).encode() + body


def _make_block(name: bytes, prefix: bytes, mode: int, size: int, when: int, kind: bytes) -> bytes:
    block = bytearray(
        pack(
            "100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x",
            name,
            b"%07o\0" % mode,
            b"0000000\0",
            b"0000000\0",
            b"%011o\0" % size,
            b"%011o\0" % when,
            b" " * 8,
            kind,
            b"",
            b"ustar\0",
            b"00",
            b"",
            b"",
            b"0000000\0",
            b"0000000\0",
            prefix,
        )
    )
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)
