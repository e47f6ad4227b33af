"""The members of wheels, sdists and conda packages: listed, read up to a limit, and hashed.

Only the readers of `twofold.formats` open archives: they refuse bombs and whatever two programs
would read differently. Nothing is written to disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twofold.formats.bounded_decompress import open_gzip
from twofold.formats.conda_reader import open_part
from twofold.formats.tar_safety import TarStream
from twofold.formats.zip_archive import ZipArchive

#: Reads the bytes of the member that an iteration is at, in pieces.
Pieces = Callable[[], Iterator[bytes]]


@dataclass(frozen=True, slots=True)
class Member:
    """A file or link in an archive. `link` is a link's target, '' for a file."""

    path: str
    size: int
    link: str = ""


def list_members(path: Path) -> list[Member]:
    """List the files and links of an archive, sorted by path. Raises BadFile."""
    found = {}
    with open_archives(path) as parts:
        for part in parts:
            for member, _ in part:
                found[member.path] = member
    return [found[name] for name in sorted(found)]


@dataclass(frozen=True, slots=True)
class Content:
    """The first bytes of a member, and how many it has."""

    data: bytes
    size: int

    @property
    def is_cut(self) -> bool:
        """Whether there are more bytes."""
        return self.size > len(self.data)


def read_members(path: Path, wanted: Iterable[str], most: int) -> dict[str, Content]:
    """Read at most `most` bytes of each of these members. Raises BadFile."""
    names = set(wanted)
    found: dict[str, Content] = {}
    with open_archives(path) as parts:
        for part in parts:
            for member, pieces in part:
                if member.path in names:
                    found[member.path] = Content(_take(pieces(), most), member.size)
                    if len(found) == len(names) and path.name.endswith((".whl", ".zip")):
                        return found
    return found


def hash_members(path: Path) -> dict[str, tuple[int, str]]:
    """Return path -> size and SHA-256 of each file; a link has its target's text hashed."""
    found: dict[str, tuple[int, str]] = {}
    with open_archives(path) as parts:
        for part in parts:
            for member, pieces in part:
                digest = hashlib.sha256(member.link.encode("utf-8", "surrogateescape"))
                if not member.link:
                    for piece in pieces():
                        digest.update(piece)
                found[member.path] = (member.size, digest.hexdigest())
    return found


def _take(pieces: Iterator[bytes], most: int) -> bytes:
    taken = bytearray()
    for piece in pieces:
        taken += piece[: most - len(taken)]
        if len(taken) >= most:
            break
    return bytes(taken)


@contextmanager
def open_archives(path: Path) -> Iterator[list[Iterator[tuple[Member, Pieces]]]]:
    """Open a file as the archives it consists of: two for a `.conda`, else one."""
    if path.name.endswith((".whl", ".zip")):
        with ZipArchive(path) as archive:
            yield [_walk_zip(archive)]
    elif path.name.endswith(".tar.gz"):
        with path.open("rb") as stream:
            yield [_walk_tar(TarStream(open_gzip(stream, path.name), path.name))]
    elif path.name.endswith(".tar.bz2"):
        with open_part(path, "info") as tar:
            yield [_walk_tar(tar)]
    else:
        with open_part(path, "info") as info, open_part(path, "pkg") as package:
            yield [_walk_tar(info), _walk_tar(package)]


def _walk_zip(archive: ZipArchive) -> Iterator[tuple[Member, Pieces]]:
    for name, member in archive.members.items():
        if not member.is_folder:
            yield Member(name, member.size), lambda member=member: archive.pieces(member)  # type: ignore[misc]


def _walk_tar(tar: TarStream) -> Iterator[tuple[Member, Pieces]]:
    for member in tar:
        if member.kind != "folder":
            yield Member(member.path, member.size, member.link), tar.pieces
