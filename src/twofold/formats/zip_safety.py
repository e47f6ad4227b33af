"""Checks untrusted zip archives: every reader must see the same files in them.

A zip lists its members twice, in local headers and in the central directory; readers differ in
which one they use, and attackers exploit the difference (CVE-2025-54368 and others). Here both
must agree, the members must fill the file without gaps, and nothing may come before or after.

`scan(stream, strict=...)` -> `ZipListing(members, problems)` lists everything that is wrong.
`zip_archive.ZipArchive(path)` opens, scans, raises BadFile with all problems, and reads members.
A strict scan, for a registry's admission checks and for `twofold check`, also refuses data
descriptors, which honest but old builders write.

APPNOTE 6.3.10 for the layout. Nothing is extracted to disk.
"""

from __future__ import annotations

from struct import Struct
from typing import IO, NamedTuple

from twofold.errors import Problem
from twofold.formats import limits
from twofold.formats.zip_ends import ZipError, find_directory

_CENTRAL = Struct("<4s6H3I5H2I")
_LOCAL = Struct("<4s5H3I2H")
_UTF8, _DESCRIPTOR = 0x800, 0x8
#: Flags without effect on readers: UTF-8 names, descriptors, deflate's level (2 bits).
_KNOWN_FLAGS = 0x800 | 0x8 | 0x6
_MAX32 = 0xFFFFFFFF
#: 4.5: ZIP64. What comes later are other compressions and encryption.
_NEWEST_VERSION = 45


class ZipMember(NamedTuple):
    """One member. Sizes in bytes; `start` is the offset of its packed data in the file.

    `mode` is the Unix mode (0 if the archive was not made on Unix); folders end in `/`.
    """

    name: str
    method: int
    crc: int
    packed: int
    size: int
    header: int
    start: int
    end: int
    mode: int
    date: tuple[int, int, int, int, int, int]

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return self.name.endswith("/")

    @property
    def is_executable(self) -> bool:
        """Whether anyone may execute it."""
        return bool(self.mode & 0o111)


class ZipListing(NamedTuple):
    """The result of a scan: the members in the directory's order, and everything wrong."""

    members: list[ZipMember]
    problems: list[Problem]


def scan(stream: IO[bytes], strict: bool = False) -> ZipListing:
    """Read both lists of the members and compare them; never raises for a bad archive."""
    try:
        directory = find_directory(stream)
    except ZipError as error:
        return ZipListing([], [Problem(str(error), "build or download the file again")])
    if directory.members > limits.MEMBERS:
        return ZipListing([], [Problem(f"the archive holds more than {limits.MEMBERS} members")])
    try:
        return _Scan(stream, directory.data, directory.start, directory.members, strict).run()
    except ZipError as error:
        return ZipListing([], [Problem(str(error), "build or download the file again")])


class _Entry(NamedTuple):
    """One entry of the central directory; `raw` is its name as stored, `date` as in ZipMember."""

    name: str
    raw: bytes
    flags: int
    method: int
    crc: int
    packed: int
    size: int
    header: int
    mode: int
    disk: int
    date: tuple[int, int, int, int, int, int]


class _Scan:
    """One pass over the central directory and one over the local headers."""

    def __init__(
        self, stream: IO[bytes], data: bytes, start: int, count: int, strict: bool
    ) -> None:
        self._stream = stream
        self._data = data
        self._start = start
        self._count = count
        self._strict = strict
        self._problems: list[Problem] = []

    def run(self) -> ZipListing:
        members = [self._read_member(*central) for central in self._read_central()]
        self._check_layout(members)
        self._check_names([member.name for member in members])
        total = sum(member.size for member in members)
        packed = sum(member.packed for member in members)
        if total > limits.UNPACKED or limits.is_bomb(total, packed):
            self._report(f"the archive would unpack {packed} bytes to {total}: a bomb")
        return ZipListing(members, self._problems)

    def _report(self, message: str) -> None:
        if len(self._problems) < 20:  # enough to act on
            self._problems.append(Problem(message))

    def _read_central(self) -> list[tuple[tuple[int, ...], bytes, bytes]]:
        """Return the fixed fields, raw name and extra field of each entry of the directory."""
        data, at, entries = self._data, 0, []
        while at < len(data):
            if len(data) - at < _CENTRAL.size or data[at : at + 4] != b"PK\1\2":
                raise ZipError("the zip's central directory is damaged")
            fields = _CENTRAL.unpack_from(data, at)
            name_length, extra_length, comment_length = fields[10], fields[11], fields[12]
            at += _CENTRAL.size
            after = at + name_length + extra_length
            if after + comment_length > len(data):
                raise ZipError("the zip's central directory is damaged")
            entries.append(
                (fields[1:], data[at : at + name_length], data[at + name_length : after])
            )
            if comment_length:
                self._report(f"a member of the zip has a comment: {_show(entries[-1][1])}")
            at = after + comment_length
        if len(entries) != self._count:
            raise ZipError(f"the zip claims {self._count} members and lists {len(entries)}")
        return entries

    def _read_member(self, fields: tuple[int, ...], raw: bytes, extra: bytes) -> ZipMember:
        entry = self._parse_entry(fields, raw, extra)
        self._check_fields(entry)
        start, end = self._compare_headers(entry)
        return ZipMember(
            entry.name,
            entry.method,
            entry.crc,
            entry.packed,
            entry.size,
            entry.header,
            start,
            end,
            entry.mode,
            entry.date,
        )

    def _parse_entry(self, fields: tuple[int, ...], raw: bytes, extra: bytes) -> _Entry:
        made_by, needed, flags, method, time, date, crc, packed, size = fields[:9]
        disk, attributes, header = fields[12], fields[14], fields[15]
        name = self._decode_name(raw, flags)
        self._check_version(name, needed)
        size, packed, header = self._resolve_zip64(name, extra, size, packed, header)
        mode = attributes >> 16 if made_by >> 8 == 3 else 0
        when = (
            (date >> 9) + 1980,
            (date >> 5) & 15,
            date & 31,
            time >> 11,
            (time >> 5) & 63,
            (time & 31) * 2,
        )
        return _Entry(name, raw, flags, method, crc, packed, size, header, mode, disk, when)

    def _decode_name(self, raw: bytes, flags: int) -> str:
        try:
            name = raw.decode("utf-8")
        except UnicodeDecodeError:
            self._report(f"a member's name is not UTF-8: {_show(raw)}")
            return raw.decode("latin-1")
        if not name.isascii() and not flags & _UTF8:
            self._report(f"a member's name is not marked as UTF-8: {_show(raw)}")
        problem = limits.find_path_problem(limits.drop_current_folders(name))
        if problem:
            self._report(problem)
        return name

    def _resolve_zip64(
        self, name: str, extra: bytes, size: int, packed: int, header: int
    ) -> tuple[int, int, int]:
        """Return sizes and offset, from the ZIP64 field where there is one.

        The field holds what does not fit the header. Older zipfile writes the sizes there too when
        they fit, which readers pass over: then both must be the same.
        """
        at = 0
        while at + 4 <= len(extra):
            kind = int.from_bytes(extra[at : at + 2], "little")
            length = int.from_bytes(extra[at + 2 : at + 4], "little")
            body = extra[at + 4 : at + 4 + length]
            at += 4 + length
            if kind == 0x7075:
                self._report(f"a member has a second name in an extra field: {name}")
            if kind != 1:
                continue
            numbers = [int.from_bytes(body[i : i + 8], "little") for i in range(0, len(body), 8)]
            wanted = (size == _MAX32) + (packed == _MAX32) + (header == _MAX32)
            is_repeated = numbers in ([size, packed], [size, packed, header])
            if (len(numbers) != wanted and not is_repeated) or len(body) % 8:
                self._report(f"the ZIP64 sizes of a member do not match its entry: {name}")
                continue
            if is_repeated:
                continue
            size = numbers.pop(0) if size == _MAX32 else size
            packed = numbers.pop(0) if packed == _MAX32 else packed
            header = numbers.pop(0) if header == _MAX32 else header
        if at != len(extra):
            self._report(f"a member's extra field is damaged: {name}")
        return size, packed, header

    def _check_fields(self, entry: _Entry) -> None:
        name, flags = entry.name, entry.flags
        kind = entry.mode & 0o170000
        if flags & 1:
            self._report(f"a member is encrypted: {name}")
        elif flags & ~_KNOWN_FLAGS:
            self._report(f"a member has unknown flags: {name}")
        if entry.method not in (0, 8):
            self._report(f"a member uses a compression other than deflate: {name}")
        if entry.method == 0 and entry.size != entry.packed:
            self._report(f"a stored member has two sizes: {name}")
        if entry.disk:
            self._report(f"a member is on another disk: {name}")
        if kind == 0o120000:
            self._report(f"a member is a symbolic link: {name}")
        elif kind not in (0, 0o100000, 0o040000):
            self._report(f"a member is neither a file nor a folder: {name}")
        if name.endswith("/") and entry.size:
            self._report(f"a folder has content: {name}")
        if self._strict and flags & _DESCRIPTOR:
            self._report(f"a member's sizes follow its data (data descriptor): {name}")

    def _compare_headers(self, entry: _Entry) -> tuple[int, int]:
        """Check the local header; return where the member's data begin and where it ends."""
        name, raw, flags = entry.name, entry.raw, entry.flags
        self._stream.seek(entry.header)
        head = self._stream.read(_LOCAL.size)
        if len(head) < _LOCAL.size or head[:4] != b"PK\3\4":
            raise ZipError(f"there is no member where the directory points for {_show(raw)}")
        _, needed, flags2, method2, _, _, crc2, packed2, size2, name_length, extra_length = (
            _LOCAL.unpack(head)
        )
        local = self._stream.read(name_length + extra_length)
        if local[:name_length] != raw:
            self._report(f"a member has two names: {_show(raw)}, {_show(local[:name_length])}")
        if flags2 != flags or method2 != entry.method:
            self._report(f"the two headers of a member differ: {name}")
        self._check_version(name, needed)
        size2, packed2, _ = self._resolve_zip64(name, local[name_length:], size2, packed2, 0)
        local_values = (crc2, packed2, size2)
        described_later = bool(flags & _DESCRIPTOR) and local_values == (0, 0, 0)
        if local_values != (entry.crc, entry.packed, entry.size) and not described_later:
            self._report(f"a member has two sizes or checksums: {name}")
        start = entry.header + _LOCAL.size + name_length + extra_length
        end = start + entry.packed
        if flags & _DESCRIPTOR:
            end += self._measure_descriptor(entry, end)
        return start, end

    def _check_version(self, name: str, needed: int) -> None:
        """The low byte is the version of the format; the high one, of old, the system."""
        if needed & 0xFF > _NEWEST_VERSION:
            self._report(f"a member needs a newer version of zip than readers know: {name}")

    def _measure_descriptor(self, entry: _Entry, at: int) -> int:
        """Return the length of the data descriptor at `at`, with or without mark, 32 or 64 bits."""
        crc, packed, size = entry.crc, entry.packed, entry.size
        self._stream.seek(at)
        found = self._stream.read(24)
        for width in (4, 8):
            for mark in (b"PK\7\x08", b""):
                expected = mark + crc.to_bytes(4, "little")
                if width == 4 and max(packed, size) > _MAX32:
                    continue
                expected += packed.to_bytes(width, "little") + size.to_bytes(width, "little")
                if found.startswith(expected):
                    return len(expected)
        self._report(f"a member's data descriptor differs from the directory: {entry.name}")
        return 0

    def _check_layout(self, members: list[ZipMember]) -> None:
        at = 0
        for member in sorted(members, key=lambda member: member.header):
            if member.header != at:
                what = "overlaps another" if member.header < at else "follows hidden data"
                self._report(f"a member {what}: {member.name}")
            at = member.end
        if at != self._start:
            self._report("hidden data between the zip's members and its directory")

    def _check_names(self, names: list[str]) -> None:
        files = {name for name in names if not name.endswith("/")}
        if len(set(names)) != len(names):
            seen: set[str] = set()
            double = sorted({name for name in names if name in seen or seen.add(name)})  # type: ignore[func-returns-value]
            self._report(f"a member appears twice in the zip: {', '.join(double[:5])}")
        folders = {name[: name.rindex("/")] for name in names if "/" in name}
        for name in sorted(files & folders):
            self._report(f"a member is both a file and a folder: {name}")


def _show(raw: bytes) -> str:
    return repr(raw.decode("utf-8", "backslashreplace"))
