"""A wheel's twin on the conda side: a real `.conda` made by `twofold.convert`.

A twin is a file like any other: its name is never given to other bytes. A package that holds the
same files and dependencies as the twin is the twin, however it is compressed: nothing changes. An
author whose own package says something else raises its build number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.errors import TwofoldError
from twofold.formats.conda_reader import parse_json, read_info
from twofold.server.model import StoredFile
from twofold.server.registry import Registry

#: The largest paths.json that is compared (bytes): some 100,000 files.
_PATHS = {"info/index.json": 1 << 20, "info/paths.json": 32 << 20}


@dataclass(frozen=True)
class ConversionResult:
    """The package made (several where markers ask for it), or why there is none."""

    artifacts: tuple[Artifact, ...] = ()
    note: str | None = None


@dataclass(frozen=True)
class KnownNames:
    """What is known of a wheel's dependencies: conda names, and METADATA (for their extras) by
    normalised name and specifier.
    """

    names: Mapping[str, str]
    metadata_of: Callable[[str, str], bytes | None]


def convert_upload(artifact: Artifact, folder: Path, known: KnownNames) -> ConversionResult:
    """Convert a wheel into `folder`; dependencies get the names the channel knows them by.

    A wheel that cannot be converted is no reason to refuse it: the remark says why.
    """
    if artifact.kind is not Kind.WHEEL:
        return ConversionResult()
    from twofold.convert import CondaOptions, convert_all
    from twofold.formats.conda_writer import BUILD_LEVEL

    # The level of `twofold build`: its conda package and the twin of its wheel are one file.
    options = CondaOptions(at_hand=known.names, metadata_of=known.metadata_of, level=BUILD_LEVEL)
    try:
        return ConversionResult(tuple(convert_all(artifact.path, folder, options)))
    except TwofoldError as error:
        return ConversionResult(note=f"no conda package was made of {artifact.filename}: {error}")


def is_same_package(registry: Registry, package: StoredFile, path: Path) -> bool:
    """Whether a package installs the same files with the same dependencies as a twin."""
    copy = path.parent / "held" / package.filename
    copy.parent.mkdir(exist_ok=True)
    registry.blobs.fetch(package.sha256, copy)
    return _installed_content(copy) == _installed_content(path)


def _installed_content(path: Path) -> tuple[object, ...]:
    info = read_info(path, _PATHS)
    index = parse_json(info["info/index.json"], path, "info/index.json")
    paths = parse_json(info["info/paths.json"], path, "info/paths.json")
    entries = {
        (entry["_path"], entry.get("sha256"), entry.get("path_type"))
        for entry in paths.get("paths", [])
    }
    return entries, sorted(index.get("depends", [])), index.get("noarch")
