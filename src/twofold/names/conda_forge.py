"""conda-forge's names of PyPI's projects: text files, searched without parsing them whole."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER = os.path.dirname(__file__)
_table: list[bytes] = []
#: Further tables that were read; `functools.cache` would cost a build 2 ms.
_same: list[frozenset[str]] = []
_further: list[dict[str, str]] = []


class CondaForgeName:
    """conda-forge's name of a PyPI project, and the module it is imported as."""

    __slots__ = ("conda", "imported", "pypi")

    def __init__(self, pypi: str, conda: str, imported: str) -> None:
        self.pypi = pypi
        self.conda = conda
        self.imported = imported


def find_on_conda_forge(key: str) -> CondaForgeName | None:
    """Find the record of a normalized PyPI name, or None if the table has none.

    The table omits plain names that are the same everywhere (`numpy`), so None does not mean that
    conda-forge has no such package.
    """
    table, wanted = _load_table(), key.encode()
    low, high = table.index(b"\n") + 1, len(table)
    while low < high:  # the lines are sorted by their first word
        start = table.rfind(b"\n", low, (low + high) // 2) + 1 or low
        end, found = table.index(b"\n", start), table[start : table.index(b" ", start)]
        if found == wanted:
            return _parse_record(table[start:end].decode())
        low, high = (end + 1, high) if found < wanted else (low, start)
    return None


def is_listed(key: str) -> bool:
    """Whether some table has a normalized PyPI name."""
    return (
        find_on_conda_forge(key) is not None
        or key in load_further_names()
        or key in load_same_names()
    )


def list_known_names() -> frozenset[str]:
    """Return every normalized PyPI name of the tables."""
    records = _load_table().decode().splitlines()[1:]
    return load_same_names().union(load_further_names(), (r.partition(" ")[0] for r in records))


def _load_table() -> bytes:
    if not _table:
        with open(os.path.join(_FOLDER, "conda_forge.txt"), "rb") as stream:
            _table.append(stream.read())
    return _table[0]


def search_conda_forge(conda: str, imported: str) -> list[CondaForgeName]:
    """Find the records with this conda name or this import name."""
    records = map(_parse_record, _load_table().decode().splitlines()[1:])
    return [r for r in records if conda == r.conda or imported == r.imported]


def find_pypi_names(conda: Iterable[str]) -> list[str]:
    """Find the PyPI names of the packages that have another one on conda-forge."""
    wanted = frozenset(conda)
    records = map(_parse_record, _load_table().decode().splitlines()[1:])
    return [record.pypi for record in records if record.conda in wanted]


def _parse_record(line: str) -> CondaForgeName:
    """Parse a line of the table; `=` means the default for the PyPI name."""
    pypi, conda, imported = line.split(" ")
    return CondaForgeName(
        pypi,
        pypi if conda == "=" else conda,
        pypi.replace("-", "_") if imported == "=" else imported,
    )


def load_same_names() -> frozenset[str]:
    """Return the normalized PyPI names that conda-forge and imports use unchanged."""
    if not _same:
        _same.append(frozenset(_read_lines("conda_forge_same.txt")))
    return _same[0]


def load_further_names() -> dict[str, str]:
    """Return normalized PyPI name -> import name, of projects with the same conda-forge name."""
    if not _further:
        pairs = (line.partition(" ") for line in _read_lines("conda_forge_too.txt"))
        _further.append({name: own or name.replace("-", "_") for name, _, own in pairs})
    return _further[0]


def _read_lines(filename: str) -> list[str]:
    with open(os.path.join(_FOLDER, filename), encoding="utf-8") as stream:
        lines = stream.read().splitlines()
    return [line for line in lines if line and not line.startswith("#")]
