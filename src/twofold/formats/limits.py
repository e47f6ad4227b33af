"""Limits of archives that are read.

Chosen above everything that PyPI and conda-forge hold today and far below what hurts: memory and
time stay bounded whatever a file claims.
"""

from __future__ import annotations

from twofold.errors import BadFile, Problem
from twofold.source_analysis.expressions import expression

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Members of one archive. The largest wheels of PyPI hold some 60,000.
MEMBERS = 200_000
#: Bytes of one archive, unpacked.
UNPACKED = 32 << 30
#: PyPI's own rule for bombs: unpacked more than 50 times the packed size, above 64 MiB.
RATIO = 50
RATIO_FROM = 64 << 20
#: Bytes of METADATA, PKG-INFO, index.json; PyPI's longest description is below 1 MiB.
METADATA = 4 << 20
#: Characters of a field of METADATA that is not the description. Some hold a whole licence.
FIELD = 256 << 10
#: Characters of Requires-Python; of all Requires-Dist with their names, and opening parentheses in
#: them: parsers need 25 microseconds for each. The longest seen have some 1,500 and 100,000.
SPECIFIERS, REQUIREMENTS, PARENTHESES = 4_000, 500_000, 10_000
#: Bytes of RECORD, paths.json and other lists of files: so many, in a small file less, for what is
#: listed takes room in the file as well. Parsers need a minute and gigabytes for 64 MiB of short
#: lines, which are packed into 60 kB.
LISTS, LISTS_OF_SMALL, LISTS_RATIO = 64 << 20, 1 << 20, 50
#: Bytes of a path inside an archive; longer ones cannot be unpacked on any system.
PATH = 1024
#: A path of letters, digits and the usual signs, whose parts begin with none of the dangerous ones.
_PLAIN_PATH = expression(r"(?a)[\w+-][\w.+-]*(?:/[\w+-][\w.+-]*)*/?")
#: Nesting of folders inside an archive.
DEPTH = 64
#: zstandard's window, a power of two of bytes: what `zstd -d` and conda's clients take, not more.
WINDOW_LOG = 27


def make_bad_file(problems: Sequence[Problem]) -> BadFile:
    """Return one error with all the problems of a file."""
    first = problems[0]
    error = BadFile(first.message, first.hint, first.where)
    error.problems = tuple(problems)
    return error


def max_list_size(packed: int) -> int:
    """Return how many bytes a list of files may have in a file of this size."""
    return min(LISTS, LISTS_OF_SMALL + LISTS_RATIO * packed)


def find_path_problem(path: str) -> str:
    """Return what makes a path inside an archive unsafe to unpack on some system, or ''."""
    if len(path) <= PATH and path.count("/") < DEPTH and _PLAIN_PATH.fullmatch(path):
        return ""  # as nearly every path
    if not path:
        return "a member has no name"
    if not path.isprintable():
        return f"a member's name holds control characters: {path!r}"
    if len(path.encode("utf-8", "surrogateescape")) > PATH:
        return f"a member's name is longer than {PATH} bytes: {path[:60]}..."
    if "\\" in path:
        return f"a member's name holds a backslash: {path}"
    if path.startswith("/") or path[1:2] == ":":
        return f"a member's path is absolute: {path}"
    parts = path.removesuffix("/").split("/")
    if ".." in parts:
        return f"a member's path leaves the archive: {path}"
    # Windows drops dots and spaces at a part's end: '.. ' is '..' there.
    if any(not part.strip(". ") for part in parts):
        return f"a member's path is not plain: {path}"
    if len(parts) > DEPTH:
        return f"a member is more than {DEPTH} folders deep: {path[:60]}..."
    return ""


def drop_current_folders(path: str) -> str:
    """Drop each part `.` of a wheel's path below .data, as installers do; hatchling writes some."""
    if "/./" not in path:
        return path
    folder, _, rest = path.partition(".data/")
    scheme, _, inner = rest.partition("/")
    if "/" in folder or not inner:
        return path
    plain = "/".join(part for part in inner.split("/") if part != ".")
    return f"{folder}.data/{scheme}/{plain}"


def is_bomb(unpacked: int, packed: int) -> bool:
    """Whether the ratio of these sizes shows a bomb, made to fill the disk or the memory."""
    return unpacked > RATIO_FROM and unpacked > RATIO * max(packed, 1)
