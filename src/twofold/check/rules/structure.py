"""TF401 to TF406, and TF413: problems that `formats` found in a built file; one predicate a rule.

`formats` looks at archives without trusting them and reports every problem; here each gets its
code. What no other rule owns is TF401.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.formats.sdist import read_sdist
from twofold.formats.wheel import WheelFile
from twofold.source_analysis.expressions import expression
from twofold_build.names import canonicalize_license, find_specifiers_problem, suggest_license

#: Each form is a part of messages in `formats`: who rewords one there changes it here too.
_PATHS = expression(
    r"below a link|hard link leads|both a link|no installer knows|leaves the archive"
    r"|path is absolute|holds a backslash|control characters|not plain"
    r"|has no name|folders deep|name is longer|link leaves|symbolic link"
    r"|differ only in case|Windows does not allow"
)
_ZIP = expression(
    r"two (?:names|sizes|headers)|sizes or checksums|twice|has a comment|hidden data|overlaps"
    r"|data descriptor|encrypted|unknown flags|other than deflate|another disk|a file and a folder"
    r"|neither a file|not UTF-8|not marked|second name|extra field|ZIP64|has content|a bomb"
    r"|two targets|install to one path"
    r"|newer version of zip|sparse|unknown kind|renames members|data follow the end|lists \d+"
)
_NAMES = expression(
    r"the (?:name|version) in .{1,300} is '|in info/index\.json, '|file name|\.dist-info folders"
    r"|must not be renamed"
)
_RECORD = expression(r"RECORD|paths\.json|info/files")
_METADATA = expression(
    r"the metadata|Metadata-Version|entry point|METADATA|no usable '|match spec"
    r"|and subdir '|entry_points\.txt"
)


def unsafe_path(problem: Problem) -> bool:
    """TF402"""
    return _PATHS.search(problem.message) is not None


def bad_record(problem: Problem) -> bool:
    """TF404"""
    return _RECORD.search(problem.message) is not None


def ambiguous_archive(problem: Problem) -> bool:
    """TF403"""
    return _ZIP.search(problem.message) is not None


def tag_mismatch(problem: Problem) -> bool:
    """TF413"""
    return problem.message.startswith("the tags in WHEEL ")


def name_mismatch(problem: Problem) -> bool:
    """TF405"""
    return _NAMES.search(problem.message) is not None


def bad_metadata(problem: Problem) -> bool:
    """TF406"""
    return _METADATA.search(problem.message) is not None


def unreadable_file(problem: Problem) -> bool:
    """TF401"""
    del problem
    return True


_METADATA_VERSION = expression(r"[12]\.\d")
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
    if not _METADATA_VERSION.fullmatch(written):
        return [Problem(f"the metadata's Metadata-Version is '{written}'", "build it again")]
    version = tuple(map(int, written.split(".")))
    if version > NEWEST:
        newest = ".".join(map(str, NEWEST))
        return [Problem(f"the metadata are of version {written}, and {newest} is the newest known")]
    found = [*_readme_problems(metadata)]
    if metadata.get("Requires-Python") != (metadata.requires_python or ""):
        wrong = find_specifiers_problem(metadata.get("Requires-Python"))
        found.append(
            Problem(
                f"the metadata's Requires-Python: {wrong}",
                f"write '{metadata.requires_python}'",
            )
        )
    if version >= _LICENCES_SINCE:
        found += _licence_problems(metadata)
        found += _licence_file_problems(artifact, metadata) if metadata.all("License-File") else ()
    return found


def _readme_problems(metadata: CoreMetadata) -> Iterator[Problem]:
    declared = metadata.get("Description-Content-Type")
    kind, *options = (part.strip().lower() for part in declared.split(";"))
    wrong = [
        option
        for option in options
        if (option.startswith("charset=") and option != "charset=utf-8")
        or (option.startswith("variant=") and option not in ("variant=gfm", "variant=commonmark"))
    ]
    if declared and (kind not in _README_TYPES or wrong):
        yield Problem(
            f"the metadata's Description-Content-Type '{declared}' is not one that PyPI renders",
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


#: The first predicate that owns a problem gives its code; TF401 owns the rest.
PREDICATES: dict[str, Callable[[Problem], bool]] = {
    "TF402": unsafe_path,
    "TF404": bad_record,
    "TF403": ambiguous_archive,
    "TF413": tag_mismatch,
    "TF405": name_mismatch,
    "TF406": bad_metadata,
    "TF401": unreadable_file,
}
