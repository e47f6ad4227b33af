"""conda-forge's names for PyPI's names: one text file, searched and never parsed whole."""

from __future__ import annotations

import os

_FILE = os.path.join(os.path.dirname(__file__), "conda_forge.txt")
_table: list[bytes] = []


class CondaForgeName:
    """What conda-forge calls a project of PyPI, and the module it is imported as."""

    __slots__ = ("conda", "imported", "pypi")

    def __init__(self, pypi: str, conda: str, imported: str) -> None:
        self.pypi = pypi
        self.conda = conda
        self.imported = imported


def find_on_conda_forge(key: str) -> CondaForgeName | None:
    """The record of a normalised PyPI name, or None when the table says nothing of it.

    The table leaves out names that are plain words and the same everywhere (`numpy`), so None
    does not mean that conda-forge has no such package.
    """
    table = _load_table()
    start = table.find(b"\n" + key.encode() + b" ")
    if start < 0:
        return None
    return _parse_record(table[start + 1 : table.index(b"\n", start + 1)].decode())


def _load_table() -> bytes:
    if not _table:
        with open(_FILE, "rb") as stream:
            _table.append(stream.read())
    return _table[0]


def search_conda_forge(conda: str, imported: str) -> list[CondaForgeName]:
    """The records whose conda name or import name is the one asked for."""
    records = map(_parse_record, _load_table().decode().splitlines()[1:])
    return [r for r in records if conda == r.conda or imported == r.imported]


def _parse_record(line: str) -> CondaForgeName:
    """One line of the table; `=` stands for what follows from the PyPI name."""
    pypi, conda, imported = line.split(" ")
    return CondaForgeName(
        pypi,
        pypi if conda == "=" else conda,
        pypi.replace("-", "_") if imported == "=" else imported,
    )
