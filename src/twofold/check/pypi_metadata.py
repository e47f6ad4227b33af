"""What `formats` lets pass in a built file's metadata, and PyPI does not: TF406.

As Warehouse's upload form judges it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.formats.sdist import read_sdist
from twofold.formats.wheel import WheelFile
from twofold_build.names import canonicalize_license, suggest_license

#: The newest metadata version that PyPI takes.
NEWEST = (2, 5)
#: The metadata version that gave the licence's fields their meaning (PEP 639).
_LICENCES_SINCE = (2, 4)
_README_TYPES = ("text/markdown", "text/x-rst", "text/plain")
_REBUILD = "correct it in the project, and build it again"


def find_metadata_problems(artifact: Artifact) -> list[Problem]:
    """Of a wheel or an sdist; each message begins with 'the metadata'."""
    metadata = parse_metadata(artifact.metadata)
    written = metadata.get("Metadata-Version")
    if not re.fullmatch(r"[12]\.\d", written):
        return [Problem(f"the metadata's Metadata-Version is '{written}'", "build it again")]
    version = tuple(map(int, written.split(".")))
    if version > NEWEST:
        newest = ".".join(map(str, NEWEST))
        return [Problem(f"the metadata are of version {written}, and {newest} is the newest known")]
    found = [*_readme_problems(metadata)]
    if version >= _LICENCES_SINCE:
        found += _licence_problems(metadata)
        found += _licence_file_problems(artifact, metadata) if metadata.all("License-File") else ()
    return found


def _readme_problems(metadata: CoreMetadata) -> Iterator[Problem]:
    said = metadata.get("Description-Content-Type")
    kind, *options = (part.strip().lower() for part in said.split(";"))
    wrong = [
        option
        for option in options
        if (option.startswith("charset=") and option != "charset=utf-8")
        or (option.startswith("variant=") and option not in ("variant=gfm", "variant=commonmark"))
    ]
    if said and (kind not in _README_TYPES or wrong):
        yield Problem(
            f"the metadata's Description-Content-Type '{said}' is none that PyPI shows",
            f"write one of {', '.join(_README_TYPES)}, in UTF-8",
        )


def _licence_problems(metadata: CoreMetadata) -> Iterator[Problem]:
    expression = metadata.get("License-Expression")
    if not expression:
        return
    if canonicalize_license(expression)[1]:
        yield Problem(
            f"the metadata's License-Expression '{expression}' is not SPDX",
            suggest_license(expression),
        )


def _licence_file_problems(artifact: Artifact, metadata: CoreMetadata) -> Iterator[Problem]:
    if artifact.kind is Kind.WHEEL:
        with WheelFile(artifact.path) as wheel:
            place, there = f"{wheel.dist_info}/licenses/", set(wheel.members)
    else:
        place, there = "", {path.partition("/")[2] for path in read_sdist(artifact.path).files}
    for path in metadata.all("License-File"):
        if f"{place}{path}" not in there:
            yield Problem(
                f"the metadata name the licence file '{path}', which is not in it", _REBUILD
            )
