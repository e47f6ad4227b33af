"""A project's own extras on the conda side, which has none: constraints on what they want.

A package that an extra wants need not be there; where it is, it must be of the version that the
extra wants. What cannot be a constraint is told: by a note where it may surprise, as unsaid where
the rule says so (extras for developers, any version will do).
"""

from __future__ import annotations

import re

from twofold.convert.needs import match_spec
from twofold.names import conda_name, normalised

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.convert.options import CondaOptions
    from twofold.convert.requirements import Need
    from twofold.convert.scope import Scope

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


def constraints_of(optional: Sequence[Need], scope: Scope, options: CondaOptions) -> Constraints:
    """What the requirements of a project's own extras constrain on what the scope is for."""
    made = Constraints()
    wanted: dict[str, dict[str, str]] = {}
    for need in optional:
        why = _no_constraint(need, scope)
        if why is None:
            name = conda_name(need.name, options.known_names)
            wanted.setdefault(name, {}).setdefault(match_spec(need, options), need.text)
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


_FOR_DEVELOPERS = "an extra for developers"
_ANY_VERSION = "an extra that takes any version"
_NOWHERE = "holds nowhere that the package is for"
_BY_RULE = frozenset((_FOR_DEVELOPERS, _ANY_VERSION, _NOWHERE))


def _no_constraint(need: Need, scope: Scope) -> str | None:
    """Why a requirement of an extra cannot be a constraint, None when it can."""
    extras = extras_asked(need)
    if extras and all(extra in _DEVELOPMENT for extra in extras):
        return _FOR_DEVELOPERS
    if not need.spec:
        return _ANY_VERSION
    if not need.when:
        return None
    from twofold.convert.markers import can_be_judged, how_often

    if not can_be_judged(need):
        return "its marker asks what no conda package can know"
    answers = {how_often(need, scope, extra) for extra in extras if extra not in _DEVELOPMENT}
    if answers == {"never"}:
        return _NOWHERE
    if "always" in answers:
        return None
    return "it holds only on some Pythons or platforms, and a constraint holds everywhere"


def extras_asked(need: Need) -> list[str]:
    """The extras of its own project that a requirement's marker names, normalised."""
    if need.extra:
        return [normalised(need.extra)]
    found = [one or other for one, other in re.findall(_EXTRA, need.marker)]
    return list(dict.fromkeys(map(normalised, found)))
