"""Compares our conda packages with those that a registry converts from wheels.

The registry accepts a package under the name of its converted package only if both install the
same files with the same dependencies; any other needs a higher build number.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from requests.auth import AuthBase

from twofold.artifact import Kind
from twofold.convert import convert_all
from twofold.errors import BadFile, Problem, TwofoldError
from twofold.formats.conda_reader import parse_json, read_info
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HttpClient
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

#: The compared files, with the size limit of each (bytes; paths.json: some 100,000 files).
_COMPARED = {"info/index.json": 1 << 20, "info/paths.json": 32 << 20}

#: The build string of a converted package ends with the build number 0.
_FIRST_BUILD = "_0"


def is_same_package(ours: Path, theirs: IO[bytes]) -> bool:
    """Whether two conda packages install the same files with the same dependencies."""
    theirs.seek(0)
    try:
        return _read_content(ours) == _read_content(ours, theirs.read())
    except BadFile:
        return False


def find_name_clash(package: ReleaseFile, wheels: Sequence[ReleaseFile]) -> Problem | None:
    """Why a registry would refuse a conda package after these wheels."""
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
                        f"the registry converts {wheel.name} to a package of this name, with "
                        "other files or dependencies",
                        "raise the build number: build-number = 1 in [tool.twofold.conda]",
                    )
    return None


def _convert(wheel: Path, folder: Path) -> list[Path]:
    try:
        return [made.path for made in convert_all(wheel, folder)]
    except TwofoldError:
        return []  # the registry cannot convert it either


def _read_content(path: Path, held: bytes | None = None) -> tuple[object, ...]:
    info = read_info(path, _COMPARED, held)
    index = parse_json(info["info/index.json"], path, "info/index.json")
    paths = parse_json(info.get("info/paths.json", b"{}"), path, "info/paths.json")
    entries = {
        (entry["_path"], entry.get("sha256"), entry.get("path_type"))
        for entry in paths.get("paths", [])
    }
    return entries, sorted(index.get("depends", [])), index.get("noarch")


def probe_converted(
    http: HttpClient, url: str, auth: AuthBase | None, file: ReleaseFile
) -> RemoteState:
    """Compare a file with a package that a registry converted from the project's wheel.

    It has the name, and the registry takes no other contents for it.
    """
    with tempfile.TemporaryFile() as copy:
        seen = state_from_fetch(http.fetch_sha256(url, auth, copy), url)
        if seen.state == "absent" or seen.is_ours(file.artifact):
            return seen
        if is_same_package(file.artifact.path, copy):
            return replace(seen, has_same_content=True)
    refusal = Problem(
        "the registry converted a package of this name from the wheel, with other files or "
        "dependencies",
        "raise the build number: `number` under `build` in the recipe, or build-number in "
        "[tool.twofold.conda]",
    )
    return RemoteState("absent", refusal=refusal, rule="twin")
