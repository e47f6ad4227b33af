"""The files that a build of a project would pack, read as far as the rules look into them."""

from __future__ import annotations

from twofold_build.archive import read_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from twofold_build.archive import Content
    from twofold_build.files import FileSelection
    from twofold_build.model import Project


#: Other files than modules are read up to this size, in bytes: keys and credentials are small.
MAX_SCANNED = 256 << 10


#: Modules are read up to this size.
MAX_MODULE = 16 << 20

_ZIP, ZSTD = b"PK\x03\x04", b"\x28\xb5\x2f\xfd"
_BEGINNINGS = (_ZIP, b"\x1f\x8b", b"BZh", b"\xfd7zXZ", ZSTD)


def is_archive(data: bytes) -> bool:
    """Whether a file may be an archive: by its first bytes, whatever its name.

    A program that is one (`zipapp`) begins with the line of its interpreter.
    """
    if data.startswith(_BEGINNINGS) or data[257:262] == b"ustar":
        return True
    return data.startswith(b"#!") and _ZIP in data[:1000]


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
    return {
        file.path: known.get(file.path) or read_content(file.source)
        for file in pack.files
        if file.size <= (MAX_MODULE if file.path.endswith((".py", ".pyi")) else MAX_SCANNED)
    }
