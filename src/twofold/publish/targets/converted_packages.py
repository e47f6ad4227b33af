"""A registry makes a conda package of every wheel itself: is that the package we have, too?

The registry takes a package under its twin's name only when both install the same files with the
same dependencies; another one has to raise its build number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from twofold.artifact import Kind
from twofold.convert import convert_all
from twofold.errors import BadFile, Problem, TwofoldError
from twofold.formats.conda_reader import parse_json, read_info
from twofold.publish.files import ReleaseFile

#: What is compared, with the most bytes of each (paths.json: some 100,000 files).
_COMPARED = {"info/index.json": 1 << 20, "info/paths.json": 32 << 20}

#: How the names of twins end: the first build of a pure package, or of one for an interpreter.
_FIRST_BUILD = "_0"


def is_same_package(ours: Path, theirs: IO[bytes]) -> bool:
    """Whether two conda packages install the same files with the same dependencies."""
    theirs.seek(0)
    try:
        return _read_content(ours) == _read_content(ours, theirs.read())
    except BadFile:
        return False


def find_name_clash(package: ReleaseFile, wheels: Sequence[ReleaseFile]) -> Problem | None:
    """Why a registry would refuse a conda package once these wheels are there."""
    artifact = package.artifact
    if artifact.kind is not Kind.CONDA or not artifact.build.endswith(_FIRST_BUILD):
        return None
    for wheel in wheels:
        if wheel.artifact.version != artifact.version:
            continue
        with tempfile.TemporaryDirectory(prefix="twofold-twin-") as folder:
            for twin in _convert(wheel.artifact.path, Path(folder)):
                if twin.name == package.name and _read_content(twin) != _read_content(
                    artifact.path
                ):
                    return Problem(
                        f"the registry makes a package of this name of {wheel.name} itself, with "
                        "other files or dependencies",
                        "give yours another name: build-number = 1 in [tool.twofold.conda]",
                    )
    return None


def _convert(wheel: Path, folder: Path) -> list[Path]:
    try:
        return [made.path for made in convert_all(wheel, folder)]
    except TwofoldError:
        return []  # of such a wheel the registry makes none either


def _read_content(path: Path, held: bytes | None = None) -> tuple[object, ...]:
    info = read_info(path, _COMPARED, held)
    index = parse_json(info["info/index.json"], path, "info/index.json")
    paths = parse_json(info.get("info/paths.json", b"{}"), path, "info/paths.json")
    entries = {
        (entry["_path"], entry.get("sha256"), entry.get("path_type"))
        for entry in paths.get("paths", [])
    }
    return entries, sorted(index.get("depends", [])), index.get("noarch")
