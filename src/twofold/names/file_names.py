"""The file names of wheels, sdists and conda packages."""

from __future__ import annotations

import re
from typing import NamedTuple

from twofold.errors import BadFile
from twofold_build.names import canonicalize_version

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


def is_same_version(one: str, other: str) -> bool:
    """Whether two versions are equal (PEP 440), in file names or metadata."""
    if one == other:
        return True
    from packaging.version import InvalidVersion, Version

    try:
        # Old builders wrote `_` for the `-` and `+` of a local version.
        return Version(one.replace("_", "-")) == Version(other.replace("_", "-")) or (
            canonicalize_version(one) == canonicalize_version(other.replace("_", "+"))
        )
    except InvalidVersion:
        return False


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
