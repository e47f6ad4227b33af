"""The compilers and build tools of a project with compiled code, for requirements/build.

conda-forge's recipes build without isolation, so a recipe names what a backend would install or
expects on the machine.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

#: Requirements of [build-system] -> the languages that they compile, beside C.
_LANGUAGES = {
    "maturin": "rust",
    "setuptools-rust": "rust",
    "pybind11": "cxx",
    "nanobind": "cxx",
}
#: Requirements of [build-system] -> the programs that they run.
_TOOLS = {
    "scikit-build-core": ("cmake", "ninja"),
    "scikit-build": ("cmake", "ninja"),
    "meson-python": ("meson", "ninja"),
}
_SUFFIXES = {
    ".cpp": "cxx",
    ".cc": "cxx",
    ".cxx": "cxx",
    ".cu": "cuda",
    ".f": "fortran",
    ".f90": "fortran",
    ".f95": "fortran",
    ".rs": "rust",
}
_ORDER = ("c", "cxx", "fortran", "rust", "cuda")
#: Folders whose sources no build of the project compiles.
_IGNORED = frozenset({"build", "dist", "docs", "node_modules", "target", "tests"})


def find_compilers(root: Path, requires: Iterable[str]) -> tuple[str, ...]:
    """Find the languages of a project, C first: by its backend's names and by its sources."""
    found = {"c"} | {_LANGUAGES[name] for name in requires if name in _LANGUAGES}
    for folder, names, files in os.walk(root):
        is_environment = "pyvenv.cfg" in files
        names[:] = sorted(
            name
            for name in names
            if not is_environment and not name.startswith(".") and name not in _IGNORED
        )
        if not is_environment:
            suffixes = {Path(file).suffix.lower() for file in files}
            found |= {_SUFFIXES[suffix] for suffix in suffixes if suffix in _SUFFIXES}
        if len(Path(folder).relative_to(root).parts) >= 6:
            names.clear()
    return tuple(language for language in _ORDER if language in found)


def find_tools(requires: Iterable[str]) -> tuple[str, ...]:
    """Find the programs that a backend runs."""
    return tuple(dict.fromkeys(tool for name in requires for tool in _TOOLS.get(name, ())))
