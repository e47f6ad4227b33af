"""PEP 508 markers in a world without them.

A conda package depends on the same packages wherever it is installed. So every marker is tried
on every Python and platform the package is for. Where it gives the same answer on all of them it
folds away; where not, the package becomes several, each for a range of Pythons or a platform,
which it says by `python` and by the virtual packages `__unix`, `__win`, `__linux`, `__osx`; what
depends on the machine goes into that platform's subdir. Nothing is dropped silently.

conda's python is taken to be CPython.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from twofold.convert.requirements import Need
from twofold.convert.scope import MarkerScope
from twofold.convert.wheel_tags import get_platform_machine
from twofold.errors import TwofoldError

#: Subdirs that markers about the machine are tried on.
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
#: Minor versions of Python 3 that markers are tried on; beyond what will exist for years.
_MINORS = range(41)
_ENVIRONMENTS = {
    "linux": {"os_name": "posix", "sys_platform": "linux", "platform_system": "Linux"},
    "osx": {"os_name": "posix", "sys_platform": "darwin", "platform_system": "Darwin"},
    "win": {"os_name": "nt", "sys_platform": "win32", "platform_system": "Windows"},
}
_PYTHON_VALUE = re.compile(r"(?:python_full_version|implementation_version) \S+ \"([^\"]+)\"")
_UNKNOWN_TO_PACKAGES = re.compile(r"platform_release|platform_version")
_GUARDS = {
    frozenset(["linux", "osx"]): "__unix",
    frozenset(["linux"]): "__linux",
    frozenset(["osx"]): "__osx",
    frozenset(["win"]): "__win",
}

#: From the needs that hold to the dependencies they make.
Render = Callable[[Sequence[Need]], tuple[str, ...]]


class Variant(NamedTuple):
    """One of the packages that the markers ask for.

    `low` and `high` bound its Pythons (`low` <= python < `high`), '' where nothing new is said.
    `guard` is a virtual package or ''; `subdir` is '' unless the machine matters. `label` goes
    into the build string.
    """

    depends: tuple[str, ...]
    low: str = ""
    high: str = ""
    guard: str = ""
    subdir: str = ""
    label: str = "py"


def can_evaluate(need: Need) -> bool:
    """Whether its markers ask only for what a package can know."""
    return _UNKNOWN_TO_PACKAGES.search(need.marker) is None


def make_variants(needs: Sequence[Need], scope: MarkerScope, render: Render) -> list[Variant]:
    """The fewest packages that say what the markers say. Raises TwofoldError."""
    for need in needs:
        if not can_evaluate(need):
            raise TwofoldError(
                f"the marker of '{need.text}' asks what no conda package can know",
                "leave the dependency out in [tool.twofold.conda] leave-out, or name it in depends",
            )
    points = _choose_pythons(needs, scope)
    subdirs = _choose_subdirs(scope)
    rows = {
        subdir: [render([n for n in needs if _is_met(n, subdir, point)]) for point in points]
        for subdir in subdirs
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


def classify_requirement(need: Need, scope: MarkerScope, extra: str | None = None) -> str:
    """`always`, `never` or `sometimes`: whether a need holds on what the scope is for.

    `extra` asks for it as that extra of its own project does.
    """
    if extra is not None:
        need = Need(need.text, need.name, (), need.spec, "", [(m, extra) for m, _ in need.when])
    points, subdirs = _choose_pythons([need], scope), _choose_subdirs(scope)
    answers = {_is_met(need, subdir, point) for subdir in subdirs for point in points}
    return "sometimes" if len(answers) > 1 else "always" if answers.pop() else "never"


def _is_met(need: Need, subdir: str, point: Version) -> bool:
    if not need.when:
        return True
    system = _system_of_subdir(subdir)
    full = str(point)
    environment = {
        "implementation_name": "cpython",
        "implementation_version": full,
        "platform_machine": get_platform_machine(subdir),
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_version": "",
        "python_full_version": full,
        "python_version": f"{point.major}.{point.minor}",
        **_ENVIRONMENTS[system],
    }
    return all(marker.evaluate({**environment, "extra": extra}) for marker, extra in need.when)


def _system_of_subdir(subdir: str) -> str:
    return subdir.partition("-")[0]


def _choose_pythons(needs: Sequence[Need], scope: MarkerScope) -> list[Version]:
    """The Pythons to try: each minor version, and each patch version that a marker names."""
    points = {Version(f"3.{minor}.0") for minor in _MINORS}
    for need in needs:
        for value in _PYTHON_VALUE.findall(need.marker):
            for text in re.findall(r"\d+(?:\.\d+)*", value):
                major, minor, patch, *_ = (*map(int, text.split(".")), 0, 0)
                if major == 3:
                    points |= {Version(f"3.{minor}.{patch}"), Version(f"3.{minor}.{patch + 1}")}
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
    """Requires-Python, read. Raises TwofoldError."""
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
    """Whether some patch version of a minor version lies in the range."""
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
