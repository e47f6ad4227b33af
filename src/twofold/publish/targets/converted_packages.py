"""Compares our conda packages with those that a registry converts from wheels.

Under the name of its converted package the registry keeps a package that installs the same files
with the same dependencies as the converted one; any other replaces it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from twofold.errors import BadFile
from twofold.formats.conda_reader import parse_json, read_info
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HeaderAuth, HttpClient
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

#: The compared files, with the size limit of each (bytes; paths.json: some 100,000 files).
_COMPARED = {"info/index.json": 1 << 20, "info/paths.json": 32 << 20}

#: The note of the plan about a package that takes the place of the converted one.
REPLACES = "replaces the package that the registry converted from the wheel"


def is_same_package(ours: Path, theirs: IO[bytes]) -> bool:
    """Whether two conda packages install the same files with the same dependencies."""
    theirs.seek(0)
    try:
        return _read_content(ours) == _read_content(ours, theirs.read())
    except BadFile:
        return False


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
    http: HttpClient, url: str, auth: HeaderAuth | None, file: ReleaseFile
) -> RemoteState:
    """Compare a file with a package that a registry converted from the project's wheel.

    The author's own package replaces it.
    """
    with tempfile.TemporaryFile() as copy:
        seen = state_from_fetch(http.fetch_sha256(url, auth, file.artifact.size, copy), url)
        if seen.state == "absent" or seen.is_ours(file.artifact):
            return seen
        if is_same_package(file.artifact.path, copy):
            return replace(seen, has_same_content=True)
    return RemoteState("absent", url=url, note=REPLACES)
