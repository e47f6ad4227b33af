"""Convert poetry's version constraints to PEP 440: carets, tildes, and alternatives (`||`)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from packaging.version import Version

from twofold.errors import TwofoldError

#: More than these are no range that anybody would read.
_MOST_EXCLUSIONS = 30
_CLAUSE = re.compile(r"\s*+(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*+v?([0-9][^\s,|]*|\*)\s*")


def convert_poetry_constraint(text: str, *, is_python: bool = False) -> str:
    """Convert a poetry constraint to PEP 440 specifiers ('' for any version).

    `^1.2` means `>=1.2,<2.0`, `~1.2` means `>=1.2,<1.3`, `1.2.*` and `1.2` stay exact. What lies
    between alternatives is excluded: `<3.9.7 || >3.9.7` means `!=3.9.7`. Raises TwofoldError
    for alternatives that PEP 440 cannot express. `is_python`: of its versions it is known that
    2.7 is the last below 3.
    """
    alternatives = split_alternatives(text)
    if len(alternatives) > 1:
        ranges = [_read_range(convert_poetry_constraint(a)) for a in alternatives]
        return _join_alternatives(ranges, is_python)
    clauses: list[str] = []
    for part in map(str.strip, text.split(",")):
        at = 0
        while at < len(part):
            found = _CLAUSE.match(part, at)
            if not found:
                raise TwofoldError(f"'{text}' cannot be read as a version constraint")
            clauses += _convert_clause(found[1] or "", found[2])
            at = found.end()
    return ",".join(clauses)


def _convert_clause(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    if operator == "^":
        return [f">={version}", f"<{_bump_version(version, _find_caret_place(version))}"]
    if operator == "~":
        return [
            f">={version}",
            f"<{_bump_version(version, 0 if _count_numbers(version) == 1 else 1)}",
        ]
    return [f"{'==' if operator in ('', '=') else operator}{version}"]


def _parse_numbers(version: str) -> list[int]:
    release = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return [int(part) for part in release[1].split(".")] if release else [0]


def _count_numbers(version: str) -> int:
    return len(_parse_numbers(version))


def _find_caret_place(version: str) -> int:
    """Find the number that a caret fixes: the first that is not zero."""
    numbers = _parse_numbers(version)
    return next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)


def _bump_version(version: str, place: int) -> str:
    numbers = _parse_numbers(version)
    raised = [*numbers[:place], numbers[place] + 1, *[0] * (len(numbers) - place - 1)]
    return ".".join(map(str, raised))


def split_alternatives(text: str) -> list[str]:
    """Split a constraint at `||` (or `|`)."""
    return [part.strip() for part in re.split(r"\|\|?", text)]


@dataclass(frozen=True, slots=True)
class _Range:
    """The versions of one alternative; None for a side without a bound."""

    lower: Version | None = None
    has_lower: bool = True
    upper: Version | None = None
    has_upper: bool = False
    holes: tuple[str, ...] = ()

    def includes(self, version: Version) -> bool:
        above = self.lower is None or version > self.lower or (
            self.has_lower and version == self.lower
        )  # fmt: skip
        below = self.upper is None or version < self.upper or (
            self.has_upper and version == self.upper
        )  # fmt: skip
        return above and below


def _read_range(specifiers: str) -> _Range:
    found = _Range()
    for clause in filter(None, specifiers.split(",")):
        matched = re.fullmatch(r"(===|~=|==|!=|<=|>=|<|>)(.*)", clause)
        operator, text = (matched[1], matched[2]) if matched else ("", "")
        plain = Version(text.removesuffix(".*"))
        if operator == "!=":
            found = replace(found, holes=(*found.holes, clause))
        elif operator in (">=", ">"):
            found = replace(found, lower=plain, has_lower=operator == ">=")
        elif operator in ("<=", "<"):
            found = replace(found, upper=plain, has_upper=operator == "<=")
        else:
            numbers = plain.release[:-1] if operator == "~=" else plain.release
            is_open = operator == "~=" or text.endswith(".*")
            upper = Version(".".join(map(str, (*numbers[:-1], numbers[-1] + 1))))
            found = _Range(plain, True, upper if is_open else plain, not is_open, found.holes)
    return found


def _join_alternatives(ranges: Sequence[_Range], is_python: bool) -> str:
    """Join ranges to the one around them, without what lies between them."""
    ordered = sorted(ranges, key=lambda r: (r.lower is not None, r.lower or Version("0")))
    whole, between = ordered[0], list[str]()
    for one in ordered[1:]:
        if whole.upper is None:
            break
        between += _list_between(whole, one, is_python)
        if one.upper is None or one.upper > whole.upper:
            whole = replace(whole, upper=one.upper, has_upper=one.has_upper)
    holes = [
        hole
        for r in ranges
        for hole in r.holes
        if not any(o is not r and o.includes(Version(hole[2:].removesuffix(".*"))) for o in ranges)
    ]
    lower = f">{'=' * whole.has_lower}{whole.lower}" if whole.lower else ""
    upper = f"<{'=' * whole.has_upper}{whole.upper}" if whole.upper else ""
    return ",".join(filter(None, (lower, upper, *between, *holes)))


def _list_between(first: _Range, second: _Range, is_python: bool) -> list[str]:
    """List the exclusions of what lies between two ranges."""
    end, start = first.upper, second.lower
    if end is None or start is None or start < end:
        return []
    if start == end:
        return [] if first.has_upper or second.has_lower else [f"!={end}"]
    if not first.has_upper and second.has_lower:
        ends, starts = _align(end, start)
        if ends[:-1] == starts[:-1] and starts[-1] - ends[-1] <= _MOST_EXCLUSIONS:
            prefix = "".join(f"{number}." for number in ends[:-1])
            return [f"!={prefix}{last}.*" for last in range(ends[-1], starts[-1])]
        if is_python and len(ends) == 2 and ends >= (2, 8) and starts[0] == 3:
            return [f"!=3.{minor}.*" for minor in range(starts[1])]
    raise TwofoldError(f"PEP 440 cannot express what is between {end} and {start}")


def _align(one: Version, other: Version) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the numbers of two versions, equally many, without zeros at the end of both."""
    length = max(len(str(v).rstrip(".0").split(".")) for v in (one, other))
    first, second = ((*v.release, *[0] * length)[:length] for v in (one, other))
    return first, second
