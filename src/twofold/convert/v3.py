"""Records of repodata's revision 3, which older clients cannot read (CEP 43-45, 48).

Its MatchSpecs may have a condition (`[when="..."]`), and a record the extras of a project
(`extra_depends`). Both are written on request: in the record of a pure wheel, which clients of
that revision install as it is, and in conda packages (`v3 = true`). Older clients ignore
`extra_depends`; a package whose own dependencies have conditions is only for the new ones, and is
made in addition to those that markers make.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from twofold.artifact import Artifact, Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.extras import apply_extra
from twofold.convert.markers import SUBDIRS, make_variants, parse_requires_python
from twofold.convert.options import CondaOptions
from twofold.convert.project_requirements import Requirements
from twofold.convert.requirements import Requirement, parse_kept_requirements, to_match_spec
from twofold.convert.versions import to_conda_spec, to_conda_version
from twofold.convert.wheel_tags import MarkerScope, find_build_number
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name, to_conda_name

#: CEP 48's build string of a pure wheel without a build tag.
BUILD = "py3_none_any_0"
NOARCH = "noarch"


class MachineMarker(TwofoldError):
    """A marker asks for the machine, which no condition of revision 3 names."""


class _Scope(NamedTuple):
    """What a record is for: the Pythons, and one subdir or ''."""

    requires_python: str
    subdir: str = ""


def make_wheel_records(
    artifact: Artifact, url: str, timestamp: int = 0, options: CondaOptions | None = None
) -> dict[str, tuple[str, dict[str, Any]]]:
    """Subdir -> key and record in `v3.whl`: one in noarch, or where markers ask for the machine
    one in each subdir.

    `url` is relative or absolute, `timestamp` in milliseconds. Raises TwofoldError for wheels that
    are not pure and for markers that have no such form.
    """
    if artifact.kind is not Kind.WHEEL or "py3-none-any" not in artifact.tags:
        raise TwofoldError("only pure wheels have a v3 record", where=artifact.filename)
    options = options or CondaOptions()
    parsed = parse_metadata(artifact.metadata)
    requirements = parse_kept_requirements(parsed, options)
    name = options.name or to_conda_name(parsed.name, options.known_names)
    version = to_conda_version(parsed.version)
    build = f"{BUILD.removesuffix('0')}{artifact.build or 0}"
    record = {
        "build": build,
        "build_number": find_build_number(artifact.build),
        "fn": artifact.filename,
        "name": name,
        "noarch": "python",
        "sha256": artifact.sha256,
        "size": artifact.size,
        "timestamp": timestamp,
        "url": url,
        "version": version,
    }
    key = f"{name}-{version}-{build}"
    runtime = [requirement for requirement in requirements if not requirement.extra]
    requires = parsed.requires_python or ""

    def make(subdir: str) -> tuple[str, dict[str, Any]]:
        scope = _Scope(requires, "" if subdir == NOARCH else subdir)
        return key, {
            **record,
            "subdir": subdir,
            "depends": [_make_python_spec(requires), *_make_depends(runtime, scope, options)],
            "extra_depends": _make_extra_depends(parsed, requirements, scope, options),
        }

    try:
        return {NOARCH: make(NOARCH)}
    except MachineMarker:
        return {subdir: make(subdir) for subdir in SUBDIRS}


def add_v3(
    packages: list[CondaPackage],
    parsed: CoreMetadata,
    requirements: Requirements,
    options: CondaOptions,
    is_pure: bool,
) -> list[CondaPackage]:
    """The packages of a wheel with `extra_depends`, and one more where markers made several.

    That one has the conditions in its dependencies; where they have no such form, a note says so.
    """
    requires = parsed.requires_python or ""
    for package in packages:
        own = _Scope(requires, "" if package.subdir == NOARCH else package.subdir)
        try:
            extras = _make_extra_depends(parsed, requirements.optional, own, options)
        except TwofoldError as error:
            note = f"the package has no extra_depends: {error.problems[0].message}"
            package.notes = (*package.notes, note)
            continue
        if extras:
            package.extra_index["extra_depends"] = extras
    first = packages[0]
    if len(packages) == 1 or not is_pure:
        return packages
    try:
        conditional = _make_depends(requirements.runtime, _Scope(requires), options)
    except TwofoldError as error:
        note = f"no package of revision 3 was made: {error.problems[0].message}"
        for package in packages:
            package.notes = (*package.notes, note)
        return packages
    added = CondaPackage(
        name=first.name,
        version=first.version,
        build=f"pyv3_{options.build_number}",
        build_number=options.build_number,
        depends=[_make_python_spec(requires), *conditional, *options.depends],
        constrains=first.constrains,
        about=first.about,
        entry_points=first.entry_points,
        timestamp=first.timestamp,
        extra_index=first.extra_index,
        notes=first.notes,
    )
    return [*packages, added]


def _make_extra_depends(
    parsed: CoreMetadata, requirements: Sequence[Requirement], scope: _Scope, options: CondaOptions
) -> dict[str, list[str]]:
    """`extra_depends`: what each of the project's extras adds."""
    extras = {}
    for extra in parsed.all("Provides-Extra"):
        own = [one for requirement in requirements if (one := apply_extra(requirement, extra))]
        extras[normalize_name(extra)] = _make_depends(own, scope, options)
    return extras


def _make_python_spec(requires: str) -> str:
    spec = to_conda_spec(requires)
    return f'python[version="{spec}"]' if spec else "python"


def _make_depends(
    requirements: Sequence[Requirement], scope: _Scope, options: CondaOptions
) -> list[str]:
    specs = []
    for requirement in requirements:
        condition = _make_condition(requirement, scope)
        if condition is not None:
            specs.append(_format_spec(requirement, condition, options))
    return sorted(specs)


def _format_spec(requirement: Requirement, condition: str, options: CondaOptions) -> str:
    """A dependency in the one form that revision 3 has: all but the name in brackets."""
    name, _, version = to_match_spec(requirement, options).partition(" ")
    brackets = [f'version="{version}"'] if version else []
    if requirement.extras:
        brackets.append(f"extras=[{','.join(sorted(map(normalize_name, requirement.extras)))}]")
    if condition:
        brackets.append(f"when={json.dumps(condition)}")
    return f"{name}[{','.join(brackets)}]" if brackets else name


def _leave_out_old_pythons(requires: str) -> str:
    """Add a lower bound of 3.6, which no package of revision 3 is older than, if there is room.

    `python<3.1` would be a part of `python<3.11`, which conda 26.7 takes for the same term.
    """
    later = parse_requires_python(f"{requires},>=3.6" if requires else ">=3.6")
    is_open = any(
        later.contains(f"3.{minor}.{patch}") for minor in range(6, 41) for patch in (0, 99)
    )
    return str(later) if is_open else requires


def _make_condition(requirement: Requirement, scope: _Scope) -> str | None:
    """The value of `when=`: '' for always, None for never."""
    if not requirement.markers:
        return ""
    variants = make_variants(
        [requirement],
        MarkerScope(_leave_out_old_pythons(scope.requires_python), subdir=scope.subdir),
        lambda holding: ("holds",) * len(holding),
    )
    holding = [variant for variant in variants if variant.depends]
    if not scope.subdir and any(variant.subdir for variant in holding):
        raise MachineMarker(
            f"the marker of '{requirement.text}' depends on the machine, which v3 cannot express",
            "leave the dependency out in [tool.twofold.conda] leave-out",
        )
    if not holding:
        return None
    return format_condition([(one.low, one.high, one.guard) for one in holding])


def format_condition(cases: Sequence[tuple[str, str, str]]) -> str:
    """Write where a requirement holds, as lower and upper Python and guard; '' for everywhere.

    Of the two ways to factor, by range of Pythons and by guard, the one that repeats fewer terms.
    """
    ranges: dict[str, list[str]] = {}
    guards: dict[str, list[str]] = {}
    for low, high, guard in cases:
        bounds = [f"python>={low}" if low else "", f"python<{high}" if high else ""]
        python = " and ".join(bound for bound in bounds if bound)
        ranges.setdefault(python, []).append(guard)
        guards.setdefault(guard, []).append(python)
    by_range = [_join_and(python, _join_guards(own)) for python, own in ranges.items()]
    by_guard = [_join_and(_join_or(own), guard) for guard, own in guards.items()]
    if "" in by_range or "" in by_guard:
        return ""
    condition = min(_join_or(by_range), _join_or(by_guard), key=_count_repeats)
    return _repeat_for_conda(condition)


def _join_guards(guards: Sequence[str]) -> str:
    """Join guards; '' where they cover every platform."""
    found = set(guards)
    found |= {"__linux", "__osx"} if "__unix" in found else set()
    if "" in found or found >= {"__linux", "__osx", "__win"}:
        return ""
    return _join_or(list(dict.fromkeys(guards)))


def _join_or(terms: Sequence[str]) -> str:
    if "" in terms or len(terms) == 1:
        return "" if "" in terms else terms[0]
    return " or ".join(f"({term})" if " " in term else term for term in terms)


def _join_and(*terms: str) -> str:
    parts = [f"({term})" if " or " in term else term for term in terms if term]
    return " and ".join(parts)


def _list_terms(condition: str) -> list[str]:
    words = re.findall(r"[^\s()]+", condition)
    return [word for word in words if word not in ("and", "or")]


def _count_repeats(condition: str) -> int:
    terms = _list_terms(condition)
    return len(terms) - len(set(terms))


def _repeat_for_conda(condition: str) -> str:
    """Let no term occur an even number of times, which conda 26.7 cannot parse.

    It puts quotes around a term once for each time that the term occurs, everywhere; twice gives
    an empty text beside a bare word, three times a text in three quotes.
    """
    terms = _list_terms(condition)
    for term in dict.fromkeys(terms):
        if terms.count(term) % 2 == 0:
            place = re.search(rf"(?<![^\s(]){re.escape(term)}(?![^\s)])", condition)
            assert place is not None
            repeated = f"({term} and {term})"
            condition = condition[: place.start()] + repeated + condition[place.end() :]
    return condition
