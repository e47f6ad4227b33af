"""A wheel's Requires-Dist: what every user needs, and what users of its extras need.

An extra of a dependency is expanded: `uvicorn[standard]` is what uvicorn's own metadata list for
that extra.
"""

from __future__ import annotations

from twofold.convert.requirements import DirectReference, Requirement, parse_requirement
from twofold.convert.wheel_tags import MarkerScope
from twofold.errors import Problem, TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert.options import CondaOptions

    #: (project, extra, the markers it is wanted under): what has been expanded already.
    _Seen = set[tuple[str, str, frozenset[tuple[str, str]]]]

#: Extras that one requirement may lead to; no real project comes near.
_MAX_EXTRAS = 200


class Requirements:
    """The requirements of a project but those that the user leaves out.

    `runtime` are every user's (where their markers hold), with what the extras of dependencies add;
    `optional` are those of the project's own extras. `unreachable` are the texts of those whose
    markers hold nowhere. `expanded` names the extras of dependencies and the versions they were
    read from, `notes` those that the dependency does not have.
    """

    __slots__ = ("expanded", "notes", "optional", "runtime", "unreachable")

    def __init__(self) -> None:
        self.runtime: list[Requirement] = []
        self.optional: list[Requirement] = []
        self.unreachable: list[str] = []
        self.expanded: list[str] = []
        self.notes: list[str] = []


def read_requirements(parsed: CoreMetadata, options: CondaOptions) -> Requirements:
    """Sort the requirements of a project. Raises TwofoldError with all their problems.

    Where each of them is a direct reference, the error is a DirectReference.
    """
    problems: list[Problem] = []
    are_direct = True
    found = Requirements()
    for text in parsed.requires_dist:
        try:
            requirement = parse_requirement(text)
            if normalize_name(requirement.name) not in options.leave_out:
                _classify(requirement, parsed, options, found)
        except TwofoldError as error:
            problems += error.problems
            are_direct &= isinstance(error, DirectReference)
    if problems:
        raise combine_errors(problems, DirectReference if are_direct else TwofoldError)
    return found


def _classify(
    requirement: Requirement, parsed: CoreMetadata, options: CondaOptions, found: Requirements
) -> None:
    if requirement.extra:
        found.optional.append(requirement)
        return
    names_extra = "extra" in requirement.marker
    if names_extra:
        found.optional.append(requirement)
    if requirement.markers and (names_extra or requirement.extras):
        from twofold.convert.markers import is_never_met

        if is_never_met(requirement, MarkerScope(parsed.requires_python or "")):
            if not names_extra:
                found.unreachable.append(requirement.text)
            return
    found.runtime.append(requirement)
    if requirement.extras:
        added = expand_extras(requirement, options)
        found.runtime += added.requirements
        found.expanded += added.versions
        found.notes += added.notes


def combine_errors(
    problems: Sequence[Problem], kind: type[TwofoldError] = TwofoldError
) -> TwofoldError:
    """One error that holds every problem."""
    error = kind(problems[0].message, problems[0].hint, problems[0].where)
    error.problems = tuple(problems)
    return error


class ExpandedExtras:
    """What extras add: `requirements`, each under the dependency's markers and the outer ones.

    `versions` names the version that each extra was read from: the package has it in
    info/about.json. `notes` are extras that the dependency does not have.
    """

    __slots__ = ("notes", "requirements", "versions")

    def __init__(self) -> None:
        self.requirements: list[Requirement] = []
        self.versions: list[str] = []
        self.notes: list[str] = []


def expand_extras(requirement: Requirement, options: CondaOptions) -> ExpandedExtras:
    """What the extras of `requirement` add, extras of extras too.

    Raises TwofoldError when no source has the metadata of the dependency.
    """
    expanded = ExpandedExtras()
    seen: _Seen = set()
    read: dict[tuple[str, str], tuple[CoreMetadata, list[Requirement]]] = {}
    waiting = [requirement]
    while waiting:
        one = waiting.pop(0)
        key = (normalize_name(one.name), one.spec)
        under = frozenset((str(marker), extra) for marker, extra in one.markers)
        wanted = sorted({normalize_name(extra) for extra in one.extras})
        wanted = [extra for extra in wanted if (key[0], extra, under) not in seen]
        seen |= {(key[0], extra, under) for extra in wanted}
        if len(seen) > _MAX_EXTRAS:
            raise TwofoldError(
                f"the extras of '{requirement.text}' lead to more than {_MAX_EXTRAS} others",
                f"add {requirement.name} to leave-out in [tool.twofold.conda], "
                "and what you need of it to depends",
                f"Requires-Dist: {requirement.text}",
            )
        if wanted:
            if key not in read:
                metadata = _find_metadata(one, key[0], options)
                parsed = parse_metadata(metadata, f"METADATA of {one.name}")
                read[key] = parsed, [parse_requirement(text) for text in parsed.requires_dist]
            for extra in wanted:
                waiting += _add_extra(one, extra, read[key], expanded, options)
    return expanded


def _add_extra(
    requirement: Requirement,
    extra: str,
    dependency: tuple[CoreMetadata, list[Requirement]],
    expanded: ExpandedExtras,
    options: CondaOptions,
) -> list[Requirement]:
    """Add what one extra adds; returns those among it that have extras themselves."""
    parsed, inner_requirements = dependency
    name = normalize_name(requirement.name)
    found = [
        inner.under_extra(requirement, extra)
        for inner in inner_requirements
        if _is_in_extra(inner, extra) and normalize_name(inner.name) not in options.leave_out
    ]
    if not found and not _has_extra(parsed, extra):
        expanded.notes.append(
            f"{requirement.name} {parsed.version} has no extra '{extra}': "
            f"'{requirement.text}' adds nothing by it"
        )
        return []
    expanded.versions.append(f"{name}[{extra}] as of {name} {parsed.version}")
    # An extra that names others of its own project adds no second requirement of the project.
    expanded.requirements += [
        added for added in found if normalize_name(added.name) != name or added.spec
    ]
    return [added for added in found if added.extras]


def _find_metadata(requirement: Requirement, name: str, options: CondaOptions) -> bytes:
    reason = ""
    if options.find_metadata is not None:
        try:
            found = options.find_metadata(name, requirement.spec)
        except TwofoldError as error:
            found, reason = None, str(error.problems[0].message)
        if found is not None:
            return found
    extras = requirement.text.partition(";")[0].strip()
    raise TwofoldError(
        f"what '{extras}' adds is known only from the metadata of {requirement.name}, "
        "and they were not found" + (f": {reason}" if reason else ""),
        f"install {requirement.name} in your environment, or be online; or write in "
        f'pyproject.toml: [tool.twofold.conda] leave-out = ["{requirement.name}"], '
        "and what you need of it in depends",
        f"Requires-Dist: {requirement.text}",
    )


def _is_in_extra(inner: Requirement, extra: str) -> bool:
    return normalize_name(inner.extra) == extra if inner.extra else "extra" in inner.marker


def _has_extra(parsed: CoreMetadata, extra: str) -> bool:
    return any(normalize_name(one) == extra for one in parsed.all("Provides-Extra"))
