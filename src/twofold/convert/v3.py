"""The repodata record of a wheel itself, as revision 3 has it (CEP 43-45, 48).

Unlike a conda package, such a record may keep conditions (`[when="..."]`) and extras
(`extra_depends`): clients of that revision install the wheel as it is. Only pure wheels can be
offered so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from twofold.artifact import Artifact, Kind
from twofold.convert.extra_packages import as_asked
from twofold.convert.markers import Scope, Variant, variants_of
from twofold.convert.options import CondaOptions
from twofold.convert.package import conda_version, match_spec
from twofold.convert.requirements import Need, parse_need
from twofold.convert.versions import conda_spec
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import parse_metadata
from twofold.names import conda_name, normalised

#: CEP 48's build string of a pure wheel.
BUILD = "py3_none_any_0"


def wheel_record(
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
    needs = [parse_need(text) for text in parsed.requires_dist]
    needs = [need for need in needs if normalised(need.name) not in options.leave_out]
    name = options.name or conda_name(parsed.name, options.known_names)
    version = conda_version(parsed.version)
    python = conda_spec(requires)
    depends = [f"python {python}" if python else "python"]
    depends += _said([need for need in needs if not need.extra], requires, options)
    extras = {}
    for extra in parsed.all("Provides-Extra"):
        own = [asked for need in needs if (asked := as_asked(need, extra)) is not None]
        extras[normalised(extra)] = _said(own, requires, options)
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


def _said(needs: Sequence[Need], requires: str, options: CondaOptions) -> list[str]:
    said = []
    for need in needs:
        condition = _condition(need, requires)
        if condition is not None:
            said.append(_spec(need, condition, options))
    return sorted(said)


def _spec(need: Need, condition: str, options: CondaOptions) -> str:
    brackets = []
    if need.extras:
        brackets.append(f"extras=[{','.join(sorted(map(normalised, need.extras)))}]")
    if condition:
        brackets.append(f"when={json.dumps(condition)}")
    spec = match_spec(need, options)
    return f"{spec}[{', '.join(brackets)}]" if brackets else spec


def _condition(need: Need, requires: str) -> str | None:
    """What `when=` says: '' for always, None for never."""
    if not need.when:
        return ""
    variants = variants_of([need], Scope(requires), lambda holding: ("holds",) * len(holding))
    holding = [variant for variant in variants if variant.depends]
    if any(variant.subdir for variant in holding):
        raise TwofoldError(
            f"the marker of '{need.text}' asks for the machine, which a v3 record cannot say",
            "leave the dependency out in [tool.twofold.conda] leave-out",
        )
    if not holding:
        return None
    terms = [_term(variant) for variant in holding]
    if "" in terms:
        return ""
    return terms[0] if len(terms) == 1 else " or ".join(f"({term})" for term in terms)


def _term(variant: Variant) -> str:
    parts = [
        f"python>={variant.low}" if variant.low else "",
        f"python<{variant.high}" if variant.high else "",
        variant.guard,
    ]
    return " and ".join(part for part in parts if part)
