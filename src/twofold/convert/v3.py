"""Records of repodata's revision 3, which older clients cannot read (CEP 43-45, 48).

Its MatchSpecs may have a condition (`[when="..."]`), and a record the extras of a project
(`extra_depends`). Both are written on request: in the record of a pure wheel, which clients of
that revision install as it is, and in conda packages (`v3 = true`). Older clients ignore
`extra_depends`; a package whose own dependencies have conditions is only for the new ones, and is
made in addition to those that markers make.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twofold.artifact import Artifact, Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.extras import apply_extra
from twofold.convert.markers import make_variants
from twofold.convert.options import CondaOptions
from twofold.convert.project_requirements import Requirements
from twofold.convert.requirements import Requirement, parse_kept_requirements, to_match_spec
from twofold.convert.versions import to_conda_spec, to_conda_version
from twofold.convert.wheel_tags import MarkerScope, Variant
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name, to_conda_name

#: CEP 48's build string of a pure wheel.
BUILD = "py3_none_any_0"


def make_wheel_record(
    artifact: Artifact, url: str, timestamp: int = 0, options: CondaOptions | None = None
) -> tuple[str, dict[str, Any]]:
    """Key and record in `v3.whl`. `url` is relative or absolute, `timestamp` in milliseconds.

    Raises TwofoldError for wheels that are not pure and for markers that have no such form.
    """
    if artifact.kind is not Kind.WHEEL or "py3-none-any" not in artifact.tags:
        raise TwofoldError("only pure wheels have a v3 record", where=artifact.filename)
    options = options or CondaOptions()
    parsed = parse_metadata(artifact.metadata)
    requires = parsed.requires_python or ""
    requirements = parse_kept_requirements(parsed, options)
    name = options.name or to_conda_name(parsed.name, options.known_names)
    version = to_conda_version(parsed.version)
    depends = [_make_python_spec(requires)]
    depends += _make_depends(
        [requirement for requirement in requirements if not requirement.extra], requires, options
    )
    extras = _make_extra_depends(parsed, requirements, options)
    record = {
        "build": BUILD,
        "build_number": 0,
        "depends": depends,
        "extra_depends": extras,
        "fn": artifact.filename,
        "name": name,
        "noarch": "python",
        "sha256": artifact.sha256,
        "size": artifact.size,
        "subdir": "noarch",
        "timestamp": timestamp,
        "url": url,
        "version": version,
    }
    return f"{name}-{version}-{BUILD}", record


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
    extras = _make_extra_depends(parsed, requirements.optional, options)
    for package in packages:
        if extras:
            package.extra_index["extra_depends"] = extras
    first = packages[0]
    if len(packages) == 1 or not is_pure:
        return packages
    requires = parsed.requires_python or ""
    try:
        conditional = _make_depends(requirements.runtime, requires, options)
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
    parsed: CoreMetadata, requirements: Sequence[Requirement], options: CondaOptions
) -> dict[str, list[str]]:
    """`extra_depends`: what each of the project's extras adds."""
    requires = parsed.requires_python or ""
    extras = {}
    for extra in parsed.all("Provides-Extra"):
        own = [one for requirement in requirements if (one := apply_extra(requirement, extra))]
        extras[normalize_name(extra)] = _make_depends(own, requires, options)
    return extras


def _make_python_spec(requires: str) -> str:
    spec = to_conda_spec(requires)
    return f'python[version="{spec}"]' if spec else "python"


def _make_depends(
    requirements: Sequence[Requirement], requires: str, options: CondaOptions
) -> list[str]:
    specs = []
    for requirement in requirements:
        condition = _make_condition(requirement, requires)
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


def _make_condition(requirement: Requirement, requires: str) -> str | None:
    """The value of `when=`: '' for always, None for never."""
    if not requirement.markers:
        return ""
    variants = make_variants(
        [requirement], MarkerScope(requires), lambda holding: ("holds",) * len(holding)
    )
    holding = [variant for variant in variants if variant.depends]
    if any(variant.subdir for variant in holding):
        raise TwofoldError(
            f"the marker of '{requirement.text}' depends on the machine, which v3 cannot express",
            "leave the dependency out in [tool.twofold.conda] leave-out",
        )
    if not holding:
        return None
    terms = [_format_term(variant) for variant in holding]
    if "" in terms:
        return ""
    return terms[0] if len(terms) == 1 else " or ".join(f"({term})" for term in terms)


def _format_term(variant: Variant) -> str:
    parts = [
        f"python>={variant.low}" if variant.low else "",
        f"python<{variant.high}" if variant.high else "",
        variant.guard,
    ]
    return " and ".join(part for part in parts if part)
