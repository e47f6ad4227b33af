"""A project's own extras on the conda side, which has none: constraints on what they want.

A package that an extra wants need not be there; where it is, it must be of the version that the
extra wants. What cannot be a constraint is told: by a note where it may surprise, as unsaid where
the rule says so (extras for developers, any version will do).
"""

from __future__ import annotations

import re

from twofold.convert.project_requirements import to_match_spec
from twofold.names import normalize_name, to_conda_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert.options import CondaOptions
    from twofold.convert.requirements import Need
    from twofold.convert.scope import MarkerScope

#: Extras for people who work on the package; others become constraints on its users.
_DEVELOPMENT = frozenset(
    word
    for line in (
        "all build check checks ci cov coverage dev develop development doc docs documentation",
        "lint linting mypy pre-commit qa release style test tests testing type typing types",
    )
    for word in line.split()
)
_EXTRA = r"""extra\s*==\s*["']([^"']+)["']|["']([^"']+)["']\s*==\s*extra"""


class Constraints:
    """`specs` for `constrains`; `notes` and `unsaid` tell of requirements that are none."""

    __slots__ = ("notes", "specs", "unsaid")

    def __init__(self) -> None:
        self.specs: tuple[str, ...] = ()
        self.notes: list[str] = []
        self.unsaid: list[str] = []


def make_constraints(
    optional: Sequence[Need], scope: MarkerScope, options: CondaOptions
) -> Constraints:
    """What the requirements of a project's own extras constrain on what the scope is for."""
    made = Constraints()
    wanted: dict[str, dict[str, str]] = {}
    for need in optional:
        why = _find_reason_against(need, scope)
        if why is None:
            name = to_conda_name(need.name, options.known_names)
            wanted.setdefault(name, {}).setdefault(to_match_spec(need, options), need.text)
        elif why in _BY_RULE:
            made.unsaid.append(f"{need.text}: {why}")
        else:
            made.notes.append(f"'{need.text}' is no constraint: {why}")
    for name, specs in wanted.items():
        if len(specs) > 1:
            made.notes += [
                f"'{text}' is no constraint: extras want {name} in {len(specs)} ways"
                for text in specs.values()
            ]
    made.specs = tuple(sorted(next(iter(s)) for s in wanted.values() if len(s) == 1))
    return made


_DEVELOPMENT_EXTRA = "an extra for developers"
_ANY_VERSION = "an extra that takes any version"
_NEVER_APPLIES = "holds nowhere that the package is for"
_BY_RULE = frozenset((_DEVELOPMENT_EXTRA, _ANY_VERSION, _NEVER_APPLIES))


def _find_reason_against(need: Need, scope: MarkerScope) -> str | None:
    """Why a requirement of an extra cannot be a constraint, None when it can."""
    extras = read_marker_extras(need)
    if extras and all(extra in _DEVELOPMENT for extra in extras):
        return _DEVELOPMENT_EXTRA
    if not need.spec:
        return _ANY_VERSION
    if not need.when:
        return None
    from twofold.convert.markers import can_evaluate, classify_requirement

    if not can_evaluate(need):
        return "its marker asks what no conda package can know"
    answers = {
        classify_requirement(need, scope, extra) for extra in extras if extra not in _DEVELOPMENT
    }
    if answers == {"never"}:
        return _NEVER_APPLIES
    if "always" in answers:
        return None
    return "it holds only on some Pythons or platforms, and a constraint holds everywhere"


def read_marker_extras(need: Need) -> list[str]:
    """The extras of its own project that a requirement's marker names, normalised."""
    if need.extra:
        return [normalize_name(need.extra)]
    found = [one or other for one, other in re.findall(_EXTRA, need.marker)]
    return list(dict.fromkeys(map(normalize_name, found)))
