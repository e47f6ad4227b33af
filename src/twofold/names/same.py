"""Projects that are called the same on PyPI and on conda-forge."""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent


@cache
def load_same_names() -> frozenset[str]:
    """Normalised PyPI names that conda-forge has under the same name and that are imported so."""
    return frozenset(_read_lines("conda_forge_same.txt"))


@cache
def load_further_names() -> dict[str, str]:
    """Normalised PyPI name -> import name, of projects that conda-forge has under the same name."""
    pairs = (line.partition(" ") for line in _read_lines("conda_forge_too.txt"))
    return {name: imported or name.replace("-", "_") for name, _, imported in pairs}


def _read_lines(filename: str) -> list[str]:
    lines = (_FOLDER / filename).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]
