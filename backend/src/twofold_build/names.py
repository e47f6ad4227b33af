"""Names, versions and requirements: the usual ones are recognised by a pattern, at no cost.

Whatever a pattern does not recognise is given to `packaging`, whose import costs more than a
small build: so the common project is fast and the unusual one is judged by the library
that defines the standards (PEP 440, 503, 508, 639).
"""

from __future__ import annotations

import re

#: PEP 508 names.
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
#: A version in PEP 440's canonical form, without epoch and local part.
_CANONICAL = re.compile(
    r"(?:0|[1-9][0-9]*)(?:\.(?:0|[1-9][0-9]*))*"
    r"(?:(?:a|b|rc)(?:0|[1-9][0-9]*))?(?:\.post(?:0|[1-9][0-9]*))?(?:\.dev(?:0|[1-9][0-9]*))?"
)
_CLAUSE = (
    r"(?:(?:>=|<=|>|<|!=|==)\s*[0-9]+(?:\.[0-9]+)*"
    r"|(?:!=|==)\s*[0-9]+(?:\.[0-9]+)*\.\*|~=\s*[0-9]+(?:\.[0-9]+)+)"
)
_SPECIFIERS = re.compile(rf"\s*{_CLAUSE}\s*(?:,\s*{_CLAUSE}\s*)*")
_REQUIREMENT = re.compile(
    rf"({_NAME})\s*(\[\s*{_NAME}(?:\s*,\s*{_NAME})*\s*\])?\s*"
    rf"({_CLAUSE}\s*(?:,\s*{_CLAUSE}\s*)*)?"
)
#: Licences that need no look into packaging's list of SPDX identifiers.
_COMMON_LICENCES = frozenset(
    [
        "MIT",
        "BSD-3-Clause",
        "BSD-2-Clause",
        "Apache-2.0",
        "ISC",
        "MPL-2.0",
        "GPL-3.0-or-later",
        "GPL-3.0-only",
        "LGPL-3.0-or-later",
        "0BSD",
        "Unlicense",
        "PSF-2.0",
    ]
)


def is_name(name: str) -> bool:
    return re.fullmatch(_NAME, name) is not None


def normalised(name: str) -> str:
    """A name by PEP 503: lower case, runs of `-_.` become one `-`."""
    return re.sub(r"[-_.]+", "-", name).lower()


def file_name(name: str) -> str:
    """A project's name as it begins the names of its files (PEP 625, PEP 491)."""
    return normalised(name).replace("-", "_")


def version_problem(version: str) -> str:
    """What is wrong with a version by PEP 440, or ''."""
    if _CANONICAL.fullmatch(version):
        return ""
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:
        return f"'{version}' is not a version (PEP 440)"
    return ""


def canonical_version(version: str) -> str:
    if _CANONICAL.fullmatch(version):
        return version
    from packaging.version import Version

    return str(Version(version))


def specifiers_problem(specifiers: str) -> str:
    if _SPECIFIERS.fullmatch(specifiers):
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(specifiers)
    except InvalidSpecifier as error:
        return str(error)
    return ""


def requirement_problem(requirement: str) -> str:
    if _REQUIREMENT.fullmatch(requirement.strip()):
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(requirement)
    except InvalidRequirement as error:
        return str(error).splitlines()[0]
    return ""


def canonical_requirement(requirement: str) -> str:
    """A requirement with single spacing, as METADATA holds it."""
    plain = _REQUIREMENT.fullmatch(requirement.strip())
    if plain:
        name, extras, clauses = plain.groups()
        wanted = ",".join(sorted((clauses or "").replace(" ", "").split(",")))
        return name + _sorted_extras(extras) + wanted
    from packaging.requirements import Requirement

    return str(Requirement(requirement))


def _sorted_extras(extras: str | None) -> str:
    """`[b, a]` as packaging writes it: `[a,b]`."""
    return f"[{','.join(sorted(extras[1:-1].replace(' ', '').split(',')))}]" if extras else ""


def with_extra(requirement: str, extra: str) -> str:
    """A requirement that holds for one extra only (PEP 508 marker)."""
    if _REQUIREMENT.fullmatch(requirement.strip()):
        return f"{canonical_requirement(requirement)} ; extra == '{extra}'"
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    own = f"({parsed.marker}) and " if parsed.marker and " or " in str(parsed.marker) else ""
    if parsed.marker and not own:
        own = f"{parsed.marker} and "
    parsed.marker = None
    return f"{parsed} ; {own}extra == '{extra}'"


def canonical_licence(expression: str) -> tuple[str, str]:
    """An SPDX expression in canonical form and what is wrong with it, one of the two empty."""
    if expression in _COMMON_LICENCES:
        return expression, ""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(expression), ""
    except InvalidLicenseExpression as error:
        return "", str(error)


def licence_hint(expression: str) -> str:
    """The SPDX identifier nearest to what was written."""
    import difflib

    from packaging.licenses._spdx import LICENSES

    known = {key: value["id"] for key, value in LICENSES.items()}
    close = difflib.get_close_matches(expression.lower(), known, n=1, cutoff=0.5)
    return f"did you mean '{known[close[0]]}'?" if close else "see the list at spdx.org/licenses"
