"""What revision 3 of repodata can say and older clients cannot read (CEP 43-45, 48).

Its MatchSpecs may hold a condition (`[when="..."]`), and a record the extras of a project
(`extra_depends`). Both are written where asked for: in the record of a pure wheel, which clients of
that revision install as it is, and in conda packages (`v3 = true`). Clients that do not know
`extra_depends` pass it over; a package whose own dependencies have conditions is for the others
alone, and stands beside those that markers make.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twofold.artifact import Artifact, Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.about import make_about
from twofold.convert.extra_packages import apply_extra
from twofold.convert.markers import Variant, make_variants
from twofold.convert.options import CondaOptions
from twofold.convert.package import to_conda_version
from twofold.convert.project_requirements import Requirements, to_match_spec
from twofold.convert.requirements import Need, parse_requirement
from twofold.convert.scope import MarkerScope
from twofold.convert.versions import to_conda_spec
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.names import normalize_name, to_conda_name

#: CEP 48's build string of a pure wheel.
BUILD = "py3_none_any_0"


def make_wheel_record(
    artifact: Artifact, url: str, timestamp: int = 0, options: CondaOptions | None = None
) -> tuple[str, dict[str, Any]]:
    """Key and record in `v3.whl`. `url` is relative or absolute, `timestamp` in milliseconds.

    Raises TwofoldError for wheels that are not pure and for markers that cannot be said.
    """
    if artifact.kind is not Kind.WHEEL or "py3-none-any" not in artifact.tags:
        raise TwofoldError("only pure wheels have a v3 record", where=artifact.filename)
    options = options or CondaOptions()
    parsed = parse_metadata(artifact.metadata)
    requires = parsed.requires_python or ""
    needs = [parse_requirement(text) for text in parsed.requires_dist]
    needs = [need for need in needs if normalize_name(need.name) not in options.leave_out]
    name = options.name or to_conda_name(parsed.name, options.known_names)
    version = to_conda_version(parsed.version)
    depends = [_make_python_spec(requires)]
    depends += _make_depends([need for need in needs if not need.extra], requires, options)
    extras = _make_extra_depends(parsed, needs, options)
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
    needs: Requirements,
    options: CondaOptions,
    is_pure: bool,
) -> list[CondaPackage]:
    """The packages of a wheel with `extra_depends`, and one more where markers made several.

    That one has the conditions in its dependencies; where they cannot be said, a note tells.
    """
    extras = _make_extra_depends(parsed, needs.optional, options)
    for package in packages:
        if extras:
            package.extra_index["extra_depends"] = extras
    first = packages[0]
    if len(packages) == 1 or not is_pure:
        return packages
    requires = parsed.requires_python or ""
    try:
        said = _make_depends(needs.always, requires, options)
    except TwofoldError as error:
        told = f"there is no package of revision 3: {error.problems[0].message}"
        for package in packages:
            package.notes = (*package.notes, told)
        return packages
    conditional = CondaPackage(
        name=first.name,
        version=first.version,
        build=f"pyv3_{options.build_number}",
        build_number=options.build_number,
        depends=[_make_python_spec(requires), *said, *options.depends],
        constrains=first.constrains,
        about=make_about(parsed, needs.expanded),
        entry_points=first.entry_points,
        timestamp=first.timestamp,
        extra_index=first.extra_index,
        notes=first.notes,
    )
    return [*packages, conditional]


def _make_extra_depends(
    parsed: CoreMetadata, needs: Sequence[Need], options: CondaOptions
) -> dict[str, list[str]]:
    """`extra_depends`: what each of the project's extras adds."""
    requires = parsed.requires_python or ""
    extras = {}
    for extra in parsed.all("Provides-Extra"):
        own = [asked for need in needs if (asked := apply_extra(need, extra)) is not None]
        extras[normalize_name(extra)] = _make_depends(own, requires, options)
    return extras


def _make_python_spec(requires: str) -> str:
    spec = to_conda_spec(requires)
    return f'python[version="{spec}"]' if spec else "python"


def _make_depends(needs: Sequence[Need], requires: str, options: CondaOptions) -> list[str]:
    said = []
    for need in needs:
        condition = _make_condition(need, requires)
        if condition is not None:
            said.append(_format_spec(need, condition, options))
    return sorted(said)


def _format_spec(need: Need, condition: str, options: CondaOptions) -> str:
    """A dependency in the one form that revision 3 has: all but the name in brackets."""
    name, _, version = to_match_spec(need, options).partition(" ")
    brackets = [f'version="{version}"'] if version else []
    if need.extras:
        brackets.append(f"extras=[{','.join(sorted(map(normalize_name, need.extras)))}]")
    if condition:
        brackets.append(f"when={json.dumps(condition)}")
    return f"{name}[{','.join(brackets)}]" if brackets else name


def _make_condition(need: Need, requires: str) -> str | None:
    """What `when=` says: '' for always, None for never."""
    if not need.when:
        return ""
    variants = make_variants(
        [need], MarkerScope(requires), lambda holding: ("holds",) * len(holding)
    )
    holding = [variant for variant in variants if variant.depends]
    if any(variant.subdir for variant in holding):
        raise TwofoldError(
            f"the marker of '{need.text}' asks for the machine, which a v3 record cannot say",
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
