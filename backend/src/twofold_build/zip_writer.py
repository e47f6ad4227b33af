"""A zip file (APPNOTE 6.3, as PEP 427 uses it), written by hand.

Importing zipfile costs more than a small build, and zipfile cannot take bytes that are already
compressed. Fixed times and modes; ZIP64 where sizes or counts need it.
"""

from __future__ import annotations

import time
from struct import pack

from twofold_build.archive import END, Content, Entry
from twofold_build.atomic import AtomicFile

#: The content of a 32-bit or 16-bit field whose value is in ZIP64, and where ZIP64 begins.
_FULL32 = 0xFFFFFFFF
_FULL16 = 0xFFFF
_LIMIT32 = _FULL32
_LIMIT16 = _FULL16
_UTF8 = 0x800


class ZipWriter:
    """Writes entries, deflated, into `path`. `when` is in seconds of UTC, from 1980 to 2107."""

    def __init__(self, path: str, when: int) -> None:
        self.file = AtomicFile(path)
        moment = time.gmtime(when)
        self._date = (moment.tm_year - 1980) << 9 | moment.tm_mon << 5 | moment.tm_mday
        self._time = moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2
        self._directory: list[bytes] = []
        self._offset = 0

    def add(self, entry: Entry, content: Content) -> None:
        """Add a file, deflated."""
        name = entry.path.encode()
        flags = 0 if entry.path.isascii() else _UTF8
        size = len(content.data)
        body = content.segment if size else b""
        packed = len(body) + len(END) if size else 0
        method = 8 if size else 0
        large = size >= _LIMIT32 or packed >= _LIMIT32
        local_extra = pack("<HHQQ", 1, 16, size, packed) if large else b""
        needed = 45 if large or self._offset >= _LIMIT32 else 20
        common = (flags, method, self._time, self._date, content.crc)
        head = pack(
            "<4sHHHHHLLLHH",
            b"PK\3\4",
            needed,
            *common,
            _FULL32 if large else packed,
            _FULL32 if large else size,
            len(name),
            len(local_extra),
        )
        write = self.file.write
        write(head + name + local_extra)
        if size:
            write(body)
            write(END)
        wide = b""
        if large:
            wide += pack("<QQ", size, packed)
        if self._offset >= _LIMIT32:
            wide += pack("<Q", self._offset)
        extra = pack("<HH", 1, len(wide)) + wide if wide else b""
        mode = 0o100755 if entry.executable else 0o100644
        self._directory.append(
            pack(
                "<4sHHHHHHLLLHHHHHLL",
                b"PK\1\2",
                3 << 8 | needed,
                needed,
                *common,
                _FULL32 if large else packed,
                _FULL32 if large else size,
                len(name),
                len(extra),
                0,
                0,
                0,
                mode << 16,
                _FULL32 if self._offset >= _LIMIT32 else self._offset,
            )
            + name
            + extra
        )
        self._offset += len(head) + len(name) + len(local_extra) + packed

    def close(self) -> None:
        """Write the central directory and move the file into place."""
        directory = b"".join(self._directory)
        count = len(self._directory)
        end = b""
        if count >= _LIMIT16 or self._offset >= _LIMIT32 or len(directory) >= _LIMIT32:
            end = pack(
                "<4sQHHLLQQQQ",
                b"PK\6\6",
                44,
                3 << 8 | 45,
                45,
                0,
                0,
                count,
                count,
                len(directory),
                self._offset,
            )
            end += pack("<4sLQL", b"PK\6\7", 0, self._offset + len(directory), 1)
        few = _FULL16 if end else count
        end += pack(
            "<4sHHHHLLH",
            b"PK\5\6",
            0,
            0,
            few,
            few,
            _FULL32 if end else len(directory),
            _FULL32 if self._offset >= _LIMIT32 else self._offset,
            0,
        )
        self.file.write(directory + end)
        self.file.commit()

    def abort(self) -> None:
        """Remove the unfinished file."""
        self.file.discard()
