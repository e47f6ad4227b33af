"""A project's own extras on the conda side, which has none: constraints, and packages on request.

A package that an extra wants need not be installed; where it is, it must have the version that the
extra wants (`constrains`). What cannot be a constraint is reported: as a note where it may
surprise, as dropped where a rule says so (extras for developers, extras that take any version).

Where [tool.twofold.conda] `extras-as-packages` is true, each extra becomes a package without files
that depends on the project in the same version and on what the extra adds.
"""

from __future__ import annotations

import re

from twofold.conda_metadata import CondaPackage
from twofold.convert.requirements import Requirement, parse_kept_requirements, to_match_spec
from twofold.convert.versions import to_conda_version
from twofold.convert.wheel_tags import MarkerScope, Variant
from twofold.names import normalize_name, to_conda_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from twofold.convert.options import CondaOptions
    from twofold.formats.core_metadata import CoreMetadata

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
_DEVELOPMENT_EXTRA = "an extra for developers"
_ANY_VERSION = "an extra that takes any version"
_NEVER_APPLIES = "holds nowhere that the package is for"
#: Reasons that are rules: no need to warn of each case.
_BY_RULE = frozenset((_DEVELOPMENT_EXTRA, _ANY_VERSION, _NEVER_APPLIES))


class Constraints:
    """`specs` for `constrains`; `notes` and `dropped` name the requirements that are not there."""

    __slots__ = ("dropped", "notes", "specs")

    def __init__(self) -> None:
        self.specs: tuple[str, ...] = ()
        self.notes: list[str] = []
        self.dropped: list[str] = []


def make_constraints(
    optional: Sequence[Requirement], scope: MarkerScope, options: CondaOptions
) -> Constraints:
    """The constraints that a project's own extras put on packages for the scope."""
    made = Constraints()
    wanted: dict[str, dict[str, str]] = {}
    for requirement in optional:
        reason = _find_reason_against(requirement, scope)
        if reason is None:
            name = to_conda_name(requirement.name, options.known_names)
            spec = to_match_spec(requirement, options)
            wanted.setdefault(name, {}).setdefault(spec, requirement.text)
        elif reason in _BY_RULE:
            made.dropped.append(f"{requirement.text}: {reason}")
        else:
            made.notes.append(f"'{requirement.text}' is not a constraint: {reason}")
    for name, specs in wanted.items():
        if len(specs) > 1:
            made.notes += [
                f"'{text}' is not a constraint: extras want {name} in {len(specs)} ways"
                for text in specs.values()
            ]
    made.specs = tuple(sorted(next(iter(s)) for s in wanted.values() if len(s) == 1))
    return made


def _find_reason_against(requirement: Requirement, scope: MarkerScope) -> str | None:
    """Why a requirement of an extra cannot be a constraint, None when it can."""
    extras = read_marker_extras(requirement)
    if extras and all(extra in _DEVELOPMENT for extra in extras):
        return _DEVELOPMENT_EXTRA
    if not requirement.spec:
        return _ANY_VERSION
    if not requirement.markers:
        return None
    from twofold.convert.markers import can_evaluate, classify_requirement

    if not can_evaluate(requirement):
        return "a package cannot know the value of its marker"
    users = [extra for extra in extras if extra not in _DEVELOPMENT]
    answers = {classify_requirement(requirement, scope, extra) for extra in users}
    if answers == {"never"}:
        return _NEVER_APPLIES
    if "always" in answers:
        return None
    return "it holds only on some Pythons or platforms, and a constraint holds everywhere"


def read_marker_extras(requirement: Requirement) -> list[str]:
    """The extras of its own project that a requirement's marker names, normalized."""
    if requirement.extra:
        return [normalize_name(requirement.extra)]
    found = [one or other for one, other in re.findall(_EXTRA, requirement.marker)]
    return list(dict.fromkeys(map(normalize_name, found)))


def apply_extra(requirement: Requirement, extra: str) -> Requirement | None:
    """A requirement as the project's own extra has it, None when the extra does not have it."""
    if requirement.extra:
        is_own = normalize_name(requirement.extra) == normalize_name(extra)
    else:
        is_own = "extra" in requirement.marker
    return requirement.under_extra(Requirement("", "", (), ""), extra) if is_own else None


def make_extra_packages(
    parsed: CoreMetadata, about: Mapping[str, Any], options: CondaOptions
) -> list[CondaPackage]:
    """The packages of the project's extras, without files; one for each variant of its markers."""
    from twofold.convert.markers import make_variants

    requires = parsed.requires_python or ""
    scope = MarkerScope(requires, python=options.python, platform=options.platform)
    renderer = _ExtraRenderer(parsed, options)
    return [
        renderer.make_package(extra, variant, about)
        for extra in parsed.all("Provides-Extra")
        for variant in make_variants(renderer.select(extra), scope, renderer.render)
    ]


def is_extra_package(package: CondaPackage) -> bool:
    """Whether a package made of a wheel is one of its extras, which has no files."""
    return package.noarch == "generic"


class _ExtraRenderer:
    """Writes what the extras of one project depend on."""

    def __init__(self, parsed: CoreMetadata, options: CondaOptions) -> None:
        self._options = options
        self._project = normalize_name(parsed.name)
        self._name = options.name or to_conda_name(parsed.name, options.known_names)
        self._version = to_conda_version(parsed.version)
        self._requirements = parse_kept_requirements(parsed, options)

    def select(self, extra: str) -> list[Requirement]:
        """The requirements that an extra adds."""
        own = (apply_extra(requirement, extra) for requirement in self._requirements)
        return [requirement for requirement in own if requirement is not None]

    def render(self, kept: Sequence[Requirement]) -> tuple[str, ...]:
        """MatchSpecs of requirements, sorted."""
        return tuple(sorted({spec for one in kept for spec in self._make_specs(one)}))

    def _make_specs(self, requirement: Requirement) -> list[str]:
        """An extra that names others of its own project depends on their packages."""
        if normalize_name(requirement.name) == self._project:
            others = map(normalize_name, requirement.extras)
            return [f"{self._name}-{other} =={self._version}" for other in others]
        return [to_match_spec(requirement, self._options)]

    def make_package(self, extra: str, variant: Variant, about: Mapping[str, Any]) -> CondaPackage:
        """The package of one extra for one variant of its markers."""
        low = f">={variant.low}" if variant.low else ""
        high = f"<{variant.high}" if variant.high else ""
        python = ",".join(bound for bound in (low, high) if bound)
        depends = [f"{self._name} =={self._version}", *variant.depends]
        depends += [f"python {python}"] if python else []
        depends += [variant.guard] if variant.guard else []
        return CondaPackage(
            name=f"{self._name}-{normalize_name(extra)}",
            version=self._version,
            build=f"{variant.label}_{self._options.build_number}",
            build_number=self._options.build_number,
            subdir=variant.subdir or "noarch",
            noarch="generic",
            depends=depends,
            about=dict(about),
            timestamp=self._options.timestamp,
        )
