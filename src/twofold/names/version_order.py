"""The order of versions: PEP 440 on the PyPI side, conda's own on the conda side.

The two differ: `2024b` is a pre-release for pip and a release for conda, and `1.1.1w` is a version
for conda alone. conda's order is described with its class VersionOrder. Versions that are equal
(`1.0` and `1.0.0`) are ordered by their text, so that no order depends on that of a set.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cmp_to_key, lru_cache
from itertools import zip_longest
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from packaging.version import Version

#: A piece of a conda version, in the order of their kinds: `dev`, other letters, numbers, `post`.
_Piece = tuple[int, int, str]
_Segment = tuple[_Piece, ...]

_LETTERS = 1
_ZERO: _Piece = (2, 0, "")
_PIECE = re.compile(r"[0-9]+|_|[^0-9_]+")
#: What a spec compares with may be longer, and is no version (nor a number that Python reads).
_LONGEST = 1000
_CONDA_VERSION = re.compile(r"(?:([0-9]+)!)?([0-9a-z._*-]+)(?:\+([0-9a-z._*-]+))?")


def sort_versions(python: Collection[str], conda: Collection[str]) -> list[str]:
    """Sort the versions of a project's files oldest first.

    By PEP 440 while `conda` has no version that `python` lacks, else by conda's order.
    """
    every = {*python, *conda}
    key = _pep_440_key if every == set(python) else _conda_key
    return sorted(every, key=lambda version: (key(version), version))


def sort_newest_first(python: Collection[str], conda: Collection[str]) -> list[str]:
    """Sort newest first, with the pre-releases among `python` (pip skips them) after the releases.

    conda has no pre-releases.
    """
    ordered = sort_versions(python, conda)[::-1]
    return sorted(ordered, key=lambda version: version in python and is_prerelease(version))


def find_versions(versions: Collection[str], wanted: str) -> set[str]:
    """Return those of the versions that are the wanted one, in any spelling of PEP 440."""
    if wanted in versions:
        return {wanted}
    parsed = _parse(wanted)
    if parsed is None:
        return set()
    return {version for version in versions if _parse(version) == parsed}


def is_prerelease(version: str) -> bool:
    """Whether a version is a pre-release by PEP 440."""
    parsed = _parse(version)
    return parsed is not None and parsed.is_prerelease


@lru_cache(maxsize=4096)
def _parse(version: str) -> Version | None:
    # Imported here: from Python 3.13 on it brings inspect along.
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return None


def _pep_440_key(version: str) -> Any:
    parsed = _parse(version)
    return (1, parsed) if parsed is not None else (0, _conda_key(version))


@lru_cache(maxsize=4096)
def compare_conda_versions(one: str, other: str) -> int:
    """Return -1, 0 or 1 as one version comes before, with or after another by conda's order."""
    for mine, theirs in zip(_read_conda(one), _read_conda(other), strict=True):
        if mine == theirs:
            continue
        for left, right in zip_longest(mine, theirs, fillvalue=(_ZERO,)):
            if left == right:
                continue
            for first, second in zip_longest(left, right, fillvalue=_ZERO):
                if first != second:
                    return -1 if first < second else 1
    return 0


_conda_key = cmp_to_key(compare_conda_versions)


@lru_cache(maxsize=4096)
def starts_with_version(version: str, prefix: str) -> bool:
    """Whether `prefix.*` holds for a version by conda's rules: 1.10 does not start with 1.1."""
    _, epoch, public, local = _read_conda(version)
    _, wanted_epoch, wanted, wanted_local = _read_conda(prefix)
    if wanted_local:
        if not _are_equal((*epoch, *public), (*wanted_epoch, *wanted)):
            return False
        return _has_prefix(local, wanted_local)
    return _has_prefix((*epoch, *public), (*wanted_epoch, *wanted))


def _has_prefix(segments: tuple[_Segment, ...], wanted: tuple[_Segment, ...]) -> bool:
    if not wanted:  # it is no version
        return False
    last = len(wanted) - 1
    if not _are_equal(segments[:last], wanted[:last]):
        return False
    own = segments[last] if len(segments) > last else ()
    end = len(wanted[last]) - 1
    if not _are_equal((own[:end],), (wanted[last][:end],)):
        return False
    kind, number, text = own[end] if len(own) > end else _ZERO
    wanted_kind, wanted_number, wanted_text = wanted[last][end]
    if wanted_kind == _LETTERS:
        return kind == _LETTERS and text.startswith(wanted_text)
    return (kind, number) == (wanted_kind, wanted_number)


def _are_equal(one: tuple[_Segment, ...], other: tuple[_Segment, ...]) -> bool:
    return one == other or all(
        first == second
        for left, right in zip_longest(one, other, fillvalue=(_ZERO,))
        for first, second in zip_longest(left, right, fillvalue=_ZERO)
    )


@lru_cache(maxsize=4096)
def _read_conda(version: str) -> tuple[tuple[_Segment, ...], ...]:
    """Return whether it is a version, its epoch, its segments and its local segments."""
    found = _CONDA_VERSION.fullmatch(version.strip().lower())
    if found is None or len(version) > _LONGEST:
        return ((((0, 0, ""),),), (), (), ())
    epoch, public, local = found.groups()
    valid, whole = ((_ZERO,),), (((2, int(epoch or 0), ""),),)
    return valid, whole, _read_segments(public), _read_segments(local) if local else ()


def _read_segments(text: str) -> tuple[_Segment, ...]:
    # A trailing underscore is a piece of the last segment: 1.0.1_ comes before 1.0.1a.
    ends_open = text.endswith("_")
    parts = re.split("[._-]", text[:-1] if ends_open else text)
    if ends_open:
        parts[-1] += "_"
    return tuple(_read_segment(part) for part in parts)


def _read_segment(text: str) -> _Segment:
    pieces = tuple(map(_read_piece, _PIECE.findall(text)))
    return pieces if text[:1].isdigit() else (_ZERO, *pieces)


def _read_piece(text: str) -> _Piece:
    if text.isascii() and text.isdigit():
        return 2, int(text), ""
    if text == "post":
        return 3, 0, ""
    return (0, 0, "") if text == "dev" else (_LETTERS, 0, text)
