"""The files that a build of a project would pack, read as far as the rules look into them."""

from __future__ import annotations

from twofold_build.archive import read_content, to_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping

    from twofold_build.archive import Content
    from twofold_build.files import FileSelection
    from twofold_build.model import Project


#: Other files than modules are read up to this size, in bytes: keys and credentials are small.
MAX_SCANNED = 256 << 10


#: Modules are read up to this size.
MAX_MODULE = 16 << 20

#: Larger archives of one package are read up to so many bytes together.
MAX_ARCHIVES = 64 << 20
#: Bytes that show what a file is.
_BEGINNING = 1000

_ZIP, ZSTD = b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_BEGINNINGS = (_ZIP, b"\x1f\x8b", b"BZh", b"\xfd7zXZ", ZSTD)


def is_archive(data: bytes) -> bool:
    """Whether a file may be an archive: by its first bytes, whatever its name.

    A program that is one (`zipapp`) begins with the line of its interpreter.
    """
    if data.startswith(_BEGINNINGS) or data[257:262] == b"ustar":
        return True
    return data.startswith(b"#!") and _ZIP in data[:_BEGINNING]


class ArchiveRoom:
    """The archives of a package that are larger than `MAX_SCANNED`, as far as memory allows."""

    def __init__(self) -> None:
        self._left = MAX_ARCHIVES

    def take(self, size: int, pieces: Iterator[bytes]) -> bytes | None:
        """Return the bytes of a file of this size; None for one that is not to be looked into."""
        if size > self._left:
            return None
        head = b""
        for piece in pieces:
            head += piece
            if len(head) >= _BEGINNING:
                break
        if not is_archive(head):
            return None
        self._left -= size
        return head + b"".join(pieces)


def select_packed(project: Project) -> FileSelection:
    """What is packed. Raises ProjectErrors as a build does."""
    from twofold_build.diagnostics import Diagnostics
    from twofold_build.files import select_files

    mistakes = Diagnostics.for_project(project.root)
    pack = select_files(project, mistakes)
    mistakes.raise_all()
    return pack


def read_files(pack: FileSelection, known: Mapping[str, Content]) -> dict[str, Content]:
    """Path -> content of the files that are judged by what is in them."""
    found = {}
    room = ArchiveRoom()
    for file in pack.files:
        if file.size <= (MAX_MODULE if file.path.endswith((".py", ".pyi")) else MAX_SCANNED):
            found[file.path] = known.get(file.path) or read_content(file.source)
        elif archive := room.take(file.size, _read_pieces(file.source)):
            found[file.path] = to_content(archive)
    return found


def _read_pieces(source: str | os.PathLike[str]) -> Iterator[bytes]:
    with open(source, "rb", buffering=0) as stream:
        piece = stream.read(_BEGINNING)
        while piece:
            yield piece
            piece = stream.read(1 << 20)
