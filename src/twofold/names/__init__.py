"""Names of packages and of their files, on PyPI and in conda.

PyPI compares normalized names (PEP 503); conda compares them as they are, in lower case.
`to_conda_name` maps the one to the other; `conda_forge.txt` lists where conda-forge's name differs
from PyPI's (see README.md beside it for its source).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from twofold.errors import BadFile
from twofold.names.conda_forge import find_on_conda_forge
from twofold_build.names import escape_for_filename, is_name, normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CondaName",
    "SdistName",
    "WheelName",
    "escape_for_filename",
    "expand_tags",
    "find_on_conda_forge",
    "is_conda_name",
    "is_name",
    "normalize_name",
    "parse_conda_name",
    "parse_sdist_name",
    "parse_wheel_name",
    "requirement_name",
    "to_conda_name",
]

_CONDA_NAME = r"[a-z0-9_][a-z0-9_.-]*"
_REQUIREMENT_NAME = r"\s*([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)"


def is_conda_name(name: str) -> bool:
    """Whether conda accepts this as a package name (CEP 26: lower case, no spaces)."""
    return len(name) <= 128 and re.fullmatch(_CONDA_NAME, name) is not None


def requirement_name(text: str) -> str:
    """Return the name at the beginning of a requirement (PEP 508), as written; '' without one."""
    found = re.match(_REQUIREMENT_NAME, text)
    return found[1] if found else ""


def to_conda_name(written: str, local_names: Mapping[str, str] | None = None) -> str:
    """Return the conda name of the project that PyPI knows as `written`.

    The first of: the name in `local_names` (normalized PyPI name -> conda name; the packages of a
    set, a channel or the user's settings), conda-forge's name for it, the name as its author wrote
    it, in lower case.
    """
    key = normalize_name(written)
    if local_names and key in local_names:
        return local_names[key]
    known = find_on_conda_forge(key)
    return known.conda if known is not None else written.lower()


#: `distribution-version(-build)?-python-abi-platform.whl`; a build tag begins with a digit.
_WHEEL = (
    r"([A-Za-z0-9](?:[A-Za-z0-9._]*[A-Za-z0-9])?)-([A-Za-z0-9_.!+]+)(?:-([0-9][A-Za-z0-9_.]*))?"
    r"-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)-([A-Za-z0-9_.]+)\.whl"
)
#: No file name is longer than 255 bytes: so no match takes long.
_SDIST = (
    r"(?=.{1,255}\Z)([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)-([0-9][A-Za-z0-9_.!+-]*)"
    r"(?:\.tar\.gz|\.zip)"
)
_CONDA = r"([a-z0-9_][a-z0-9_.-]*)-([A-Za-z0-9_.!+~]+)-([A-Za-z0-9_.+]+)(\.conda|\.tar\.bz2)"


class WheelName(NamedTuple):
    """A wheel's file name. `tags` are expanded and sorted: `py2.py3-none-any` makes two."""

    name: str
    version: str
    build: str
    tags: tuple[str, ...]


class SdistName(NamedTuple):
    """An sdist's file name. In old spellings the name may hold dashes."""

    name: str
    version: str


class CondaName(NamedTuple):
    """A conda package's file name; `ending` is `.conda` or `.tar.bz2`."""

    name: str
    version: str
    build: str
    ending: str

    @property
    def stem(self) -> str:
        """The file name without its extension."""
        return f"{self.name}-{self.version}-{self.build}"


def parse_wheel_name(filename: str) -> WheelName:
    """Parse the file name of a wheel. Raises BadFile."""
    found = re.fullmatch(_WHEEL, filename)
    if found is None:
        raise BadFile(
            f"'{filename}' is not a wheel's file name",
            "name it NAME-VERSION-PYTHON-ABI-PLATFORM.whl, as its builder did",
        )
    name, version, build, python, abi, platform = found.groups()
    return WheelName(name, version, build or "", expand_tags(f"{python}-{abi}-{platform}"))


def parse_sdist_name(filename: str) -> SdistName:
    """Parse the file name of an sdist. Raises BadFile.

    Old spellings hold dashes (`my-package-1.0.tar.gz`): the version begins at the last one.
    """
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    name, _, version = stem.rpartition("-")
    if stem != filename and name and version[:1].isdigit() and re.fullmatch(_SDIST, filename):
        return SdistName(name, version)
    raise BadFile(
        f"'{filename}' is not an sdist's file name", "name it NAME-VERSION.tar.gz (PEP 625)"
    )


def parse_conda_name(filename: str) -> CondaName:
    """Parse the file name of a conda package. Raises BadFile."""
    found = re.fullmatch(_CONDA, filename)
    if found is None:
        raise BadFile(
            f"'{filename}' is not a conda package's file name",
            "name it NAME-VERSION-BUILD.conda or NAME-VERSION-BUILD.tar.bz2",
        )
    return CondaName(*found.groups())


def expand_tags(compressed: str) -> tuple[str, ...]:
    """Expand `py2.py3-none-any` to single tags, sorted (PEP 425, compressed tag sets)."""
    pythons, abis, platforms = compressed.split("-")
    return tuple(
        sorted(
            f"{python}-{abi}-{platform}"
            for python in pythons.split(".")
            for abi in abis.split(".")
            for platform in platforms.split(".")
        )
    )
