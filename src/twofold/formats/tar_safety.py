"""Reads untrusted tar archives as a stream.

It accepts only what packages need: files, folders, links inside the archive. It refuses everything
two readers could understand differently, or that one of them cannot unpack: two different sizes
(TARmageddon, CVE-2025-62518), sparse files, unknown kinds, wrong checksums, times and owners that
are not numbers. Nothing is extracted to disk but by `extract_member`, and an extended header never
costs more memory than `limits.METADATA`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple, Protocol

from twofold.errors import BadFile
from twofold.formats import limits
from twofold.formats.ustar import add_bytes, read_number
from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from tarfile import TarFile, TarInfo

_BLOCK = 512
_PIECE = 1 << 20
_KINDS = {b"0": "file", b"\0": "file", b"5": "folder", b"2": "symlink", b"1": "hardlink"}
_TWICE = {
    "path": "a member has two names",
    "linkpath": "a member has two targets",
    "size": "a member has two sizes",
}
#: The first size that eleven octal digits cannot hold.
_MAX_OCTAL = 8**11

#: Owners that a system has, and times that Python and file systems have: up to the year 9999.
_MAX_OWNER, _MAX_TIME = 1 << 32, 253402300800
_DIGITS = expression(r"[0-9]{1,10}")
_SECONDS = expression(r"-?[0-9]{1,12}(\.[0-9]{0,30})?")
#: Keys of extended headers that change what a member is, for some readers: GNU tar and libarchive
#: (sparse files), Solaris, star.
_OTHER_FORMS = ("GNU.sparse", "SUN.holesdata", "SCHILY.realsize", "SCHILY.filetype")


class Readable(Protocol):
    """A stream a tar is read from: a file, or a decompressor on one."""

    def read(self, size: int = -1, /) -> bytes:
        """Read up to `size` bytes, or all."""
        ...


class TarMember(NamedTuple):
    """One member: `kind` is 'file', 'folder', 'symlink' or 'hardlink'; `link` its target."""

    path: str
    kind: str
    size: int
    link: str
    mode: int
    mtime: int


class TarStream:
    """Iterates over the members of a tar; the current one can be read until the next.

    `where` names the archive in messages. Raises BadFile. Iteration ends at the archive's end
    blocks; only zeros may follow them.
    """

    def __init__(self, stream: Readable, where: str) -> None:
        self._stream = stream
        self._where = where
        self._left = 0
        self._padding = 0
        self._count = 0
        self._total = 0

    def __iter__(self) -> Iterator[TarMember]:
        while (member := self._next()) is not None:
            yield member
        self._finish()

    def pieces(self) -> Iterator[bytes]:
        """Yield the current member's bytes in pieces."""
        while self._left:
            piece = self._read_exactly(min(self._left, _PIECE))
            self._left -= len(piece)
            yield piece

    def read(self, most: int = limits.METADATA) -> bytes:
        """Return the current member's bytes. Raises BadFile if there are more than `most`."""
        if self._left > most:
            raise self._error(f"a member of {self._left} bytes is larger than the {most} allowed")
        return b"".join(self.pieces())

    def _error(self, message: str) -> BadFile:
        return BadFile(message, "build or download the file again", self._where)

    def _read_exactly(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) == size:
            return data
        parts = [data]
        missing = size - len(data)
        while data and missing:
            data = self._stream.read(missing)
            parts.append(data)
            missing -= len(data)
        if missing:
            raise self._error("the archive is cut off")
        return b"".join(parts)

    def _skip(self) -> None:
        if 0 < self._left + self._padding <= _PIECE:  # most members: one read, not two
            self._read_exactly(self._left + self._padding)
            self._left = self._padding = 0
        for _ in self.pieces():
            pass
        if self._padding:
            self._read_exactly(self._padding)
            self._padding = 0

    def _next(self) -> TarMember | None:
        self._skip()
        extended: dict[str, str] = {}
        while True:
            block = self._read_exactly(_BLOCK)
            if not block.strip(b"\0"):
                if extended:
                    raise self._error("the archive is cut off: an extended header has no member")
                return None
            self._count += 1
            if self._count > limits.MEMBERS:
                raise self._error(f"the archive holds more than {limits.MEMBERS} members")
            self._check_checksum(block)
            kind, size = block[156:157], self._number(block[124:136])
            if kind in b"xLK":
                self._extend(extended, kind, self._body(size))
            elif kind == b"g" and not extended:
                self._check_global(self._body(size))
            else:
                return self._member(block, kind, size, extended)

    def _body(self, size: int) -> bytes:
        if not 0 <= size <= limits.METADATA:
            raise self._error("an extended header of the archive is too large")
        data = self._read_exactly(size)
        self._read_exactly(-size % _BLOCK)
        return data

    def _check_checksum(self, block: bytes) -> None:
        checksum = self._number(block[148:156])
        # The field itself counts as eight blanks.
        if checksum != add_bytes(block) - sum(block[148:156]) + 8 * 32:
            raise self._error("not a tar archive, or damaged: a header's checksum is wrong")

    def _number(self, field: bytes) -> int:
        number = read_number(field)
        if number is None:
            raise self._error("not a tar archive, or damaged: a header's number is wrong")
        return number

    def _extend(self, extended: dict[str, str], kind: bytes, body: bytes) -> None:
        """Take what an extended header says of the member after it: readers differ in which of two
        they believe."""
        if kind.decode() in extended:
            raise self._error("a member has two headers of one kind before it")
        extended[kind.decode()] = ""
        if kind != b"x":
            key = "path" if kind == b"L" else "linkpath"
            self._set_once(extended, key, self._text(body.rstrip(b"\0")))
            return
        for key, value in self._records(body):
            self._check_record(key, value)
            if key in ("path", "linkpath", "size"):
                self._set_once(extended, key, value)

    def _check_record(self, key: str, value: str) -> None:
        """Check a record that readers apply to the member: Python fails on a time of 'nan'."""
        if key.startswith(_OTHER_FORMS):
            raise self._error("the archive holds a sparse file")
        wrong = False
        if key in ("mtime", "atime", "ctime"):
            wrong = not _SECONDS.fullmatch(value) or abs(float(value)) >= _MAX_TIME
        elif key in ("uid", "gid"):
            wrong = not _DIGITS.fullmatch(value) or int(value) >= _MAX_OWNER
        elif key in ("uname", "gname"):
            wrong = any(character < " " for character in value)
        if wrong:
            raise self._error(f"a member's {key} has no valid value: {value[:100]!r}")

    def _set_once(self, extended: dict[str, str], key: str, value: str) -> None:
        if key in extended:
            raise self._error(f"{_TWICE[key]} in its extended headers: {value[:100]!r}")
        if "\0" in value:
            raise self._error(f"a member's name holds control characters: {value[:100]!r}")
        extended[key] = value

    def _check_global(self, body: bytes) -> None:
        """Accept global records only as comments (git archive writes the commit there)."""
        for key, value in self._records(body):
            if key in ("path", "linkpath", "size"):
                raise self._error("a global header of the archive renames members")
            self._check_record(key, value)

    def _records(self, body: bytes) -> Iterator[tuple[str, str]]:
        at = 0
        while at < len(body):
            space = body.find(b" ", at, at + 20)
            digits = body[at:space] if space > 0 else b""
            length = int(digits) if digits.isdigit() else 0  # bytes: ASCII digits alone
            record = body[space + 1 : at + length]
            key, equals, value = record.partition(b"=")
            if length <= space - at or not equals or record[-1:] != b"\n":
                raise self._error("an extended header of the archive is damaged")
            yield self._text(key), value[:-1].decode("utf-8", "surrogateescape")
            at += length

    def _text(self, raw: bytes) -> str:
        try:
            return raw.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._error(f"a member's name is not UTF-8: {raw!r}") from error

    def _member(self, block: bytes, kind: bytes, size: int, extended: dict[str, str]) -> TarMember:
        type_name = _KINDS.get(kind)
        if type_name is None:
            raise self._error("a member is a device, a sparse file or of an unknown kind")
        name = extended.get("path") or self._name(block)
        length = self._size(extended, size)
        # Some readers skip the data of a link, others take them for the next header.
        if length is None or length < 0 or (length and type_name.endswith("link")):
            raise self._error(f"a member has two sizes: {name}")
        if length and type_name == "file" and name.endswith("/"):
            raise self._error(f"a folder has content: {name}")
        while name.startswith("./"):  # `tar c .` and some builders begin every path so
            name = name[2:] or "."
        link = extended.get("linkpath") or self._text(block[157:257].partition(b"\0")[0])
        self._left = length if type_name == "file" else 0
        self._padding = -self._left % _BLOCK
        self._total += self._left
        if self._total > limits.UNPACKED:
            raise self._error(f"the archive unpacks to more than {limits.UNPACKED} bytes")
        mtime = self._number(block[136:148])
        owners = self._number(block[108:116]), self._number(block[116:124])
        if abs(mtime) >= _MAX_TIME or min(owners) < 0 or max(owners) >= _MAX_OWNER:
            raise self._error(f"a member has a time or an owner that no system has: {name}")
        return TarMember(
            name,
            "folder" if type_name == "file" and name.endswith("/") else type_name,
            self._left,
            link if type_name.endswith("link") else "",
            self._number(block[100:108]) & 0o7777,
            mtime,
        )

    def _size(self, extended: dict[str, str], size: int) -> int | None:
        """The size that header and extended header agree on; None if they do not.

        Only a size that the header has no room for may differ from the header's, which then is 0.
        """
        text = extended.get("size")
        if text is None:
            return size
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            return None
        length = int(text)
        return length if length == size or (not size and length >= _MAX_OCTAL) else None

    def _name(self, block: bytes) -> str:
        name = self._text(block[:100].partition(b"\0")[0])
        if block[257:263] == b"ustar\0":
            prefix = self._text(block[345:500].partition(b"\0")[0])
            return f"{prefix}/{name}" if prefix else name
        return name

    def _finish(self) -> None:
        while data := self._stream.read(_PIECE):
            if data.strip(b"\0"):
                raise self._error("data follow the end of the archive")


def find_member_problem(member: TarMember, root: str = "") -> str:
    """Return what makes a member unsafe to unpack, or ''. Links must stay below `root`."""
    if member.path in (".", "./"):
        return ""
    problem = limits.find_path_problem(member.path)
    if problem or not member.kind.endswith("link"):
        return problem
    if not member.link or not member.link.isprintable() or len(member.link) > limits.PATH:
        return f"a link's target is empty or not plain: {member.path} -> {member.link[:100]!a}"
    base = member.path.rpartition("/")[0] if member.kind == "symlink" else ""
    if member.link.startswith("/") or "\\" in member.link or member.link[1:2] == ":":
        return f"a link leaves the archive: {member.path} -> {member.link}"
    depth: list[str] = [part for part in base.split("/") if part]
    for part in member.link.split("/"):
        if part == "..":
            if not depth:
                return f"a link leaves the archive: {member.path} -> {member.link}"
            depth.pop()
        elif part not in ("", "."):
            depth.append(part)
    if root and depth[:1] != [root]:
        return f"a link leaves the archive: {member.path} -> {member.link}"
    return ""


def extract_member(archive: TarFile, member: TarInfo, folder: Path) -> None:
    """Extract a member as the data filter does (PEP 706). Raises tarfile.TarError for a bad one.

    Python has the filter from 3.11.4 on; Debian 12 comes with 3.11.2.
    """
    import tarfile

    if hasattr(tarfile, "data_filter"):
        archive.extract(member, folder, filter="data")
        return
    _check_stays_inside(member, folder.resolve())
    if not member.isreg() and not member.isdir() and not member.issym() and not member.islnk():
        raise tarfile.ExtractError(f"{member.name!r} is no file, folder or link")
    from copy import copy

    own = copy(member)
    own.mode = 0o755 if member.isdir() else member.mode & 0o755 | 0o600
    if hasattr(os, "getuid"):
        own.uid, own.gid, own.uname, own.gname = os.getuid(), os.getgid(), "", ""
    archive.extract(own, folder)


def _check_stays_inside(member: TarInfo, folder: Path) -> None:
    import tarfile

    ends = [folder / member.name]
    if member.issym():
        ends.append(ends[0].parent / member.linkname)
    elif member.islnk():
        ends.append(folder / member.linkname)
    if not all(end.resolve().is_relative_to(folder) for end in ends):
        raise tarfile.ExtractError(f"{member.name!r} leads out of the archive's folder")
