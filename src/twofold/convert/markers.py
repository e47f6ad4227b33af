"""PEP 508 markers for conda, which has none.

A conda package depends on the same packages wherever it is installed. So every marker is
evaluated on every Python and platform the package is for. Where the answer is the same on all of
them the marker folds away; where not, the package becomes several, each for a range of Pythons or a
platform. Those depend on `python` with bounds and on the virtual packages `__unix`, `__win`,
`__linux` and `__osx`; a package that depends on the machine goes into that platform's subdir.
Nothing is dropped silently.

Markers are evaluated as on CPython, which conda's python is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import compress

from packaging.markers import Marker
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from twofold.convert.marker_evaluation import MarkerExpression, parse_marker
from twofold.convert.requirements import Requirement
from twofold.convert.wheel_tags import MarkerScope, Variant
from twofold.errors import TwofoldError
from twofold.names.platforms import make_marker_environment

#: Subdirs that markers about the machine are evaluated on.
SUBDIRS = (
    "linux-64",
    "linux-aarch64",
    "linux-ppc64le",
    "linux-s390x",
    "osx-64",
    "osx-arm64",
    "win-64",
    "win-arm64",
)
#: Minor versions of Python 3 that markers are evaluated on; more than will exist for years.
_MINORS = range(41)
#: The most Pythons to evaluate on; markers about patch versions add two each, and few exist.
_MAX_POINTS = 250
_PYTHON_VALUE = re.compile(r"(?:python_full_version|implementation_version) \S+ \"([^\"]+)\"")
_UNKNOWN_TO_PACKAGES = re.compile(r"platform_release|platform_version")
_UNKNOWN_COMPARISON = re.compile(
    r"(?:platform_release|platform_version) (?:not in|in|[<>=!~]+) \"[^\"]*\""
    r"|\"[^\"]*\" (?:not in|in|[<>=!~]+) (?:platform_release|platform_version)"
)
_GUARDS = {
    frozenset(["linux", "osx"]): "__unix",
    frozenset(["linux"]): "__linux",
    frozenset(["osx"]): "__osx",
    frozenset(["win"]): "__win",
}

#: Makes the dependencies of the requirements that hold.
Render = Callable[[Sequence[Requirement]], tuple[str, ...]]


def can_evaluate(requirement: Requirement) -> bool:
    """Whether its markers use only values that a package can know."""
    return _UNKNOWN_TO_PACKAGES.search(requirement.marker) is None


def make_variants(
    requirements: Sequence[Requirement], scope: MarkerScope, render: Render
) -> list[Variant]:
    """The fewest packages that express the markers. Raises TwofoldError."""
    for requirement in requirements:
        if not can_evaluate(requirement):
            raise TwofoldError(
                f"the marker of '{requirement.text}' uses a value that no conda package can know",
                "leave the dependency out in [tool.twofold.conda] leave-out, or name it in depends",
            )
    points = _choose_pythons(requirements, scope)
    subdirs = _choose_subdirs(scope)
    places = _Places(subdirs, tuple(points))
    answers = [places.answer(_parse_markers(requirement)) for requirement in requirements]
    rendered: dict[tuple[bool, ...], tuple[str, ...]] = {}  # by the requirements that hold

    def render_those(holds: tuple[bool, ...]) -> tuple[str, ...]:
        if holds not in rendered:
            rendered[holds] = render(list(compress(requirements, holds)))
        return rendered[holds]

    nothing: list[tuple[bool, ...]] = [()] * (len(subdirs) * len(points))
    every = list(map(render_those, zip(*answers, strict=True) if answers else nothing))
    rows = {
        subdir: every[number * len(points) : (number + 1) * len(points)]
        for number, subdir in enumerate(subdirs)
    }
    if len({tuple(row) for row in rows.values()}) > 1 and scope.platform in rows:
        wanted = rows[scope.platform]
        rows = {subdir: row for subdir, row in rows.items() if row == wanted}
    return [
        variant
        for guard, subdir, row in _group_by_platform(rows, subdirs)
        if not subdir or scope.platform in (subdir, "")
        for variant in _split_by_python(row, points, guard, subdir, scope)
    ]


def is_never_met(requirement: Requirement, scope: MarkerScope) -> bool:
    """Whether a requirement holds nowhere, whatever the values are that no package can know."""
    if can_evaluate(requirement):
        return classify_requirement(requirement, scope) == "never"
    open_markers = [
        (Marker(_UNKNOWN_COMPARISON.sub("os_name != ''", str(marker))), extra)
        for marker, extra in requirement.markers
    ]
    known = Requirement(requirement.text, requirement.name, (), requirement.spec, "", open_markers)
    return classify_requirement(known, scope) == "never"


def classify_requirement(
    requirement: Requirement, scope: MarkerScope, extra: str | None = None
) -> str:
    """`always`, `never` or `sometimes`: whether a requirement holds on what the scope is for.

    `extra` is the extra of its own project that its markers are evaluated for.
    """
    if extra is not None:
        own = [(marker, extra) for marker, _ in requirement.markers]
        requirement = Requirement(requirement.text, requirement.name, (), requirement.spec, "", own)
    points, subdirs = _choose_pythons([requirement], scope), _choose_subdirs(scope)
    answers = set(_Places(subdirs, tuple(points)).answer(_parse_markers(requirement)))
    return "sometimes" if len(answers) > 1 else "always" if answers.pop() else "never"


#: Expressions of markers, and the extra that each is evaluated for.
_Markers = list[tuple[MarkerExpression, str]]


def _parse_markers(requirement: Requirement) -> _Markers:
    return [(parse_marker(marker), extra) for marker, extra in requirement.markers]


@lru_cache(maxsize=16)
class _Places:
    """What markers are evaluated on: each Python on each platform, platform by platform."""

    def __init__(self, subdirs: tuple[str, ...], points: tuple[Version, ...]) -> None:
        self._environments = [
            make_marker_environment(subdir, str(point)) for subdir in subdirs for point in points
        ]
        self._groups: dict[tuple[str, ...], tuple[list[dict[str, str]], list[int]]] = {}

    def answer(self, markers: _Markers) -> list[bool]:
        """Return for each place whether all markers hold there."""
        names = {name for marker, _ in markers for name in marker.variables}
        different, numbers = self._group(tuple(sorted(names - {"extra"})))
        known = [
            all(marker.holds(environment, extra) for marker, extra in markers)
            for environment in different
        ]
        return [known[number] for number in numbers]

    def _group(self, names: tuple[str, ...]) -> tuple[list[dict[str, str]], list[int]]:
        """Return the environments that differ in some names, and for each place which of them."""
        if names not in self._groups:
            seen: dict[tuple[str, ...], int] = {}
            different: list[dict[str, str]] = []
            numbers = []
            for environment in self._environments:
                values = tuple([environment[name] for name in names])
                if values not in seen:
                    seen[values] = len(different)
                    different.append(environment)
                numbers.append(seen[values])
            self._groups[names] = different, numbers
        return self._groups[names]


def _system_of_subdir(subdir: str) -> str:
    return subdir.partition("-")[0]


def _choose_pythons(requirements: Sequence[Requirement], scope: MarkerScope) -> list[Version]:
    """The Pythons to evaluate on: each minor version, and each patch version in a marker."""
    points = {Version(f"3.{minor}.0") for minor in _MINORS}
    for requirement in requirements:
        for value in _PYTHON_VALUE.findall(requirement.marker):
            for text in re.findall(r"\d+(?:\.\d+)*", value):
                major, minor, patch, *_ = (*map(int, text.split(".")), 0, 0)
                if major == 3:
                    points |= {Version(f"3.{minor}.{patch}"), Version(f"3.{minor}.{patch + 1}")}
    if len(points) > _MAX_POINTS:
        raise TwofoldError(
            "the markers name too many patch versions of Python",
            "compare with python_version, or leave requirements out in [tool.twofold.conda]",
        )
    own = [
        point
        for point in sorted(points)
        if not scope.minor or f"{point.major}.{point.minor}" == scope.minor
    ]
    wanted = parse_requires_python(scope.requires_python)
    # A bound such as >=3.8.1 leaves the rest of 3.8 in.
    within = [
        point
        for point in own
        if wanted.contains(point) or wanted.contains(f"{point.major}.{point.minor}.99")
    ]
    return within or own or sorted(points)


def parse_requires_python(requires_python: str) -> SpecifierSet:
    """Parse Requires-Python. Raises TwofoldError."""
    try:
        return SpecifierSet(requires_python)
    except InvalidSpecifier as error:
        raise TwofoldError(
            f"'{requires_python}' is not a version specifier", "see PEP 440", "Requires-Python"
        ) from error


def _choose_subdirs(scope: MarkerScope) -> tuple[str, ...]:
    return (scope.subdir,) if scope.subdir else SUBDIRS


def _group_by_platform(
    rows: dict[str, list[tuple[str, ...]]], every: Sequence[str]
) -> list[tuple[str, str, list[tuple[str, ...]]]]:
    """Guard, subdir and row of each group of platforms that agree."""
    groups: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for subdir, row in rows.items():
        groups.setdefault(tuple(row), []).append(subdir)
    if len(groups) == 1 and len(rows) == len(every):
        return [("", "", list(next(iter(groups))))]
    found = []
    for signature, subdirs in groups.items():
        row = list(signature)
        systems = {_system_of_subdir(subdir) for subdir in subdirs}
        whole = [s for s in every if _system_of_subdir(s) in systems]
        if sorted(whole) != sorted(subdirs):
            found += [("", subdir, row) for subdir in subdirs]
        elif frozenset(systems) in _GUARDS:
            found.append((_GUARDS[frozenset(systems)], "", row))
        else:
            found += [(f"__{system}", "", row) for system in sorted(systems)]
    return found


def _split_by_python(
    row: list[tuple[str, ...]], points: list[Version], guard: str, subdir: str, scope: MarkerScope
) -> Iterator[Variant]:
    """The variants of one group of platforms, one for each range of Pythons that agree."""
    starts = [i for i, depends in enumerate(row) if i == 0 or depends != row[i - 1]]
    for number, start in enumerate(starts):
        low = str(points[start]).removesuffix(".0") if start else ""
        last = number + 1 == len(starts)
        high = "" if last else str(points[starts[number + 1]]).removesuffix(".0")
        if scope.python and len(starts) > 1 and not _is_in_range(scope.python, low, high):
            continue
        prefix = f"{guard.removeprefix('__')}_" if guard else ""
        yield Variant(row[start], low, high, guard, subdir, f"{prefix}{_make_label(low, high)}")


def _is_in_range(python: str, low: str, high: str) -> bool:
    """Whether some patch version of a minor version is in the range."""
    first, last = Version(f"{python}.0"), Version(f"{python}.999")
    return (not low or last >= Version(low)) and (not high or first < Version(high))


def _make_label(low: str, high: str) -> str:
    parts = [
        f"ge{_shorten_version(low)}" if low else "",
        f"lt{_shorten_version(high)}" if high else "",
    ]
    return "py" + "".join(parts)


def _shorten_version(version: str) -> str:
    """`3.11` -> `311`, `3.11.3` -> `311p3`."""
    major, minor, *patch = version.split(".")
    return major + minor + (f"p{patch[0]}" if patch else "")
