"""Zips that two readers could read differently, each wrong in one way."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from struct import pack, pack_into

from tests.factories.artifacts import make_wheel_files

BadZip = Callable[[], bytes]
INIT = "my_package/__init__.py"
DIST_INFO = "my_package-1.0.0.dist-info"


class Member:
    """One member as it is written; whatever is set differs between its two headers."""

    def __init__(self, name: str | bytes, data: bytes = b"", **fields: object) -> None:
        self.name = name if isinstance(name, bytes) else name.encode()
        self.local_name = self.name
        self.data = data
        self.body = data
        self.method = 0
        self.flags = 0 if self.name.isascii() else 0x800
        self.local_flags: int | None = None
        self.local_method: int | None = None
        self.crc = zlib.crc32(data)
        self.size = len(data)
        self.packed: int | None = None
        self.local: tuple[int, int, int] | None = None
        self.extra = self.local_extra = self.after = self.before = self.comment = b""
        self.mode = 0o100644
        self.disk = 0
        self.header: int | None = None
        for key, value in fields.items():
            assert hasattr(self, key), key
            setattr(self, key, value)


def build(members: list[Member], between: bytes = b"") -> bytes:
    """The bytes of a zip of such members."""
    out = io.BytesIO()
    offsets = []
    for m in members:
        out.write(m.before)
        offsets.append(out.tell())
        packed = len(m.body) if m.packed is None else m.packed
        crc, local_packed, size = m.local or (m.crc, packed, m.size)
        flags = m.flags if m.local_flags is None else m.local_flags
        method = m.method if m.local_method is None else m.local_method
        out.write(
            pack("<4s5HIIIHH", b"PK\3\4", 20, flags, method, 0, 0x21, crc, local_packed, size,
                 len(m.local_name), len(m.local_extra))
            + m.local_name + m.local_extra + m.body + m.after
        )  # fmt: skip
    out.write(between)
    start = out.tell()
    for m, offset in zip(members, offsets, strict=True):
        packed = len(m.body) if m.packed is None else m.packed
        out.write(
            pack("<4s6HIIIHHHHHII", b"PK\1\2", 0x0314, 20, m.flags, m.method, 0, 0x21, m.crc,
                 packed, m.size, len(m.name), len(m.extra), len(m.comment), m.disk, 0,
                 m.mode << 16, offset if m.header is None else m.header)
            + m.name + m.extra + m.comment
        )  # fmt: skip
    size = out.tell() - start
    count = len(members)
    out.write(pack("<4sHHHHIIH", b"PK\5\6", 0, 0, count, count, size, start, 0))
    return out.getvalue()


def sound_members() -> list[Member]:
    return [Member(name, data) for name, data in make_wheel_files().items()]


def _with(**fields: object) -> BadZip:
    """A sound wheel whose module is written with `fields`."""

    def make() -> bytes:
        members = sound_members()
        for key, value in fields.items():
            setattr(members[0], key, value)
        return build(members)

    return make


def _and(*more: Member) -> BadZip:
    return lambda: build([*sound_members(), *more])


def _bytes(change: Callable[[bytearray], None]) -> BadZip:
    def make() -> bytes:
        data = bytearray(build(sound_members()))
        change(data)
        return bytes(data)

    return make


def _descriptor(value: tuple[int, int, int]) -> BadZip:
    def make() -> bytes:
        members = sound_members()
        members[0].flags = members[0].local_flags = 8
        members[0].local = (0, 0, 0)
        members[0].after = pack("<4sIII", b"PK\7\x08", *value)
        return build(members)

    return make


def _two_directories() -> bytes:
    """A whole other zip inside, found by readers that search the end differently."""
    inner = build([Member("evil.py", b"import os\n")])
    return build(sound_members(), between=inner)


def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    body = b"".join([*(packer.compress(zeros) for _ in range(300)), packer.flush()])
    size = 300 << 20
    crc = 0
    for _ in range(300):
        crc = zlib.crc32(zeros, crc)
    return build([*sound_members(), Member("bomb.bin", body=body, method=8, crc=crc, size=size)])


def _wrong_size() -> bytes:
    """Deflated data that give more than the size in both headers says."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = packer.compress(b"x" * 5000) + packer.flush()
    members = sound_members()
    return build(
        [*members, Member("a.bin", body=body, method=8, crc=zlib.crc32(b"x" * 10), size=10)]
    )


def _count(data: bytearray) -> None:
    pack_into("<HH", data, len(data) - 14, 1, 1)


def _comment(data: bytearray) -> None:
    pack_into("<H", data, len(data) - 2, 4)
    data += b"zip!"


def _second_disk(data: bytearray) -> None:
    pack_into("<HH", data, len(data) - 18, 1, 1)


def _odd_zip64(data: bytearray) -> None:
    pack_into("<I", data, len(data) - 6, 0xFFFFFFFF)


UNICODE_PATH = pack("<HHBI", 0x7075, 5 + 4, 1, 0) + b"evil"

#: Case -> how it is made, and a word of the message it must be refused with.
BAD_ZIPS: dict[str, tuple[BadZip, str]] = {
    "two names": (_with(local_name=b"my_package/__main__.py"), "two names"),
    "two sizes": (_with(local=(0, 5, 5)), "two sizes"),
    "two checksums": (_with(local=(1, 12, 12)), "two sizes or checksums"),
    "two methods": (_with(local_method=8), "headers of a member differ"),
    "descriptor flag in one header": (_with(local_flags=8), "headers of a member differ"),
    "stored with two sizes": (_with(size=99), "two sizes"),
    "twice": (_and(Member(INIT, b"evil = 1\n")), "twice"),
    "file and folder": (_and(Member("my_package", b"x")), "a file and a folder"),
    "folder with content": (_and(Member("a/", b"x")), "a folder has content"),
    "encrypted": (_with(flags=1), "encrypted"),
    "unknown flags": (_with(flags=0x2000), "unknown flags"),
    "another method": (_with(method=12), "other than deflate"),
    "a link": (_and(Member("link", b"/etc/passwd", mode=0o120777)), "symbolic link"),
    "a device": (_and(Member("dev", mode=0o020644)), "neither a file nor a folder"),
    "climbs": (_and(Member("../evil.py", b"x")), "leaves the archive"),
    "absolute": (_and(Member("/etc/evil", b"x")), "absolute"),
    "drive": (_and(Member("C:/evil", b"x")), "absolute"),
    "backslash": (_and(Member("a\\..\\b", b"x")), "backslash"),
    "control character": (_and(Member("a\nb", b"x")), "control characters"),
    "NUL": (_and(Member("a.py\0.txt", b"x")), "control characters"),
    "not UTF-8": (_and(Member(b"\xff\xfe", b"x")), "not UTF-8"),
    "UTF-8 not marked": (_and(Member("ö.py", b"x", flags=0)), "not marked"),
    "not plain": (_and(Member("a//b", b"x")), "not plain"),
    "no name": (_and(Member("", b"x")), "no name"),
    "second name": (_with(extra=UNICODE_PATH), "second name"),
    "member comment": (_with(comment=b"hi"), "has a comment"),
    "other disk": (_with(disk=3), "another disk"),
    "hidden before a member": (_and(Member("a", before=b"hidden")), "hidden data"),
    "hidden after a member": (_with(after=b"hidden"), "hidden data"),
    "two zips": (_two_directories, "hidden data"),
    "overlap": (_and(Member(INIT + "2", header=0)), "two names"),
    "points nowhere": (_with(header=7), "no member"),
    "descriptor lies": (_descriptor((1, 2, 3)), "descriptor differs"),
    "trailing data": (lambda: build(sound_members()) + b"<html>", "truncated, or data follow"),
    "archive comment": (_bytes(_comment), "truncated, or data follow"),
    "leading data": (lambda: b"#!/bin/sh\n" + build(sound_members()), "not a zip"),
    "wrong count": (_bytes(_count), "lists"),
    "several parts": (_bytes(_second_disk), "several parts"),
    "odd ZIP64": (_bytes(_odd_zip64), "ZIP64"),
    "cut off": (lambda: build(sound_members())[:-30], "truncated"),
    "bomb": (_bomb, "a bomb"),
}

#: Sound from the outside; only unpacking shows the lie.
BAD_CONTENTS: dict[str, tuple[BadZip, str]] = {
    "more than it says": (_wrong_size, "damaged|does not list"),
    "wrong checksum": (_with(crc=7), "damaged"),
}


def has_descriptors() -> bytes:
    """An honest wheel of a builder that writes sizes after the data."""
    members = sound_members()
    for m in members:
        m.flags = m.local_flags = 8
        m.local = (0, 0, 0)
        m.after = pack("<4sIII", b"PK\7\x08", m.crc, len(m.body), m.size)
    return build(members)


def zipfile_names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()
