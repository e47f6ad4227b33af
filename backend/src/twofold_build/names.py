"""Names, versions and requirements: the usual ones are recognised by hand, at no cost.

Everything else is passed to `packaging`, whose import costs more than a small build: the common
project is fast, and the unusual one is checked by the reference implementation of the standards
(PEP 440, 503, 508, 639). No regular expressions: compiling them costs milliseconds.
"""

from __future__ import annotations

#: The operators of a version clause, longer ones before their beginnings (PEP 440).
_OPERATORS = (">=", "<=", "==", "!=", "~=", ">", "<")
#: Licences that need no look into packaging's list of SPDX identifiers.
_COMMON_LICENSES = frozenset(
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
    """Whether it is a valid name of a project or an extra (PEP 508)."""
    plain = name.translate(_WITHOUT_SEPARATORS)
    return name.isascii() and plain.isalnum() and name[0].isalnum() and name[-1].isalnum()


_WITHOUT_SEPARATORS = dict.fromkeys(map(ord, "-_."))
_SEPARATORS = {ord("_"): "-", ord("."): "-"}


def normalize_name(name: str) -> str:
    """Normalize a name (PEP 503): lower case, runs of `-_.` become one `-`."""
    name = name.translate(_SEPARATORS).lower()
    while "--" in name:
        name = name.replace("--", "-")
    return name


def escape_for_filename(name: str) -> str:
    """Return a project's name as its file names begin (PEP 625, PEP 491)."""
    return normalize_name(name).replace("-", "_")


def _is_number(text: str) -> bool:
    """Whether it is a number as canonical versions write it: no sign, no leading zero."""
    return text.isascii() and text.isdigit() and (text == "0" or text[0] != "0")


def _is_canonical(version: str) -> bool:
    """Whether a version is certainly canonical (PEP 440); False when in doubt."""
    release, mark, number = version.partition("rc")
    if not mark:
        release, mark, number = version.partition(".dev")
    return all(map(_is_number, release.split("."))) and (not mark or _is_number(number))


def find_version_problem(version: str) -> str:
    """Return what is wrong with a version (PEP 440), or ''."""
    if _is_canonical(version):
        return ""
    from packaging.version import InvalidVersion, Version

    try:
        Version(version)
    except InvalidVersion:
        return f"'{version}' is not a version (PEP 440)"
    return ""


def canonicalize_version(version: str) -> str:
    """Return a version in canonical form (PEP 440)."""
    if _is_canonical(version):
        return version
    from packaging.version import Version

    return str(Version(version))


def _split_plain_clauses(specifiers: str) -> list[str] | None:
    """Split `>=1.2, <3` into clauses without spaces; None if only packaging can parse it."""
    clauses = []
    for written in specifiers.split(","):
        clause = written.strip()
        operator = next((each for each in _OPERATORS if clause.startswith(each)), "")
        numbers = clause[len(operator) :].lstrip().split(".")
        if not operator or (operator == "~=" and len(numbers) < 2):
            return None
        if numbers[-1] == "*" and len(numbers) > 1 and operator in ("==", "!="):
            judged = numbers[:-1]
        else:
            judged = numbers
        if not all(number.isascii() and number.isdigit() for number in judged):
            return None
        clauses.append(operator + ".".join(numbers))
    return clauses


def find_specifiers_problem(specifiers: str) -> str:
    """Return what is wrong with version specifiers (PEP 440), or ''."""
    if _split_plain_clauses(specifiers) is not None:
        return ""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        SpecifierSet(specifiers)
    except InvalidSpecifier as error:
        return str(error)
    return ""


def _parse_plain_requirement(requirement: str) -> str | None:
    """Format a requirement of name, extras and plain clauses like packaging, else None."""
    text = requirement.strip()
    end = next((at for at, mark in enumerate(text) if mark in "[<>=!~ "), len(text))
    name, rest = text[:end], text[end:].strip()
    extras = ""
    if rest.startswith("["):
        inside, closed, rest = rest[1:].partition("]")
        listed = [extra.strip() for extra in inside.split(",")]
        if not closed or not all(map(is_name, listed)):
            return None
        extras = f"[{','.join(sorted(set(listed)))}]"
    clauses = _split_plain_clauses(rest) if rest.strip() else []
    if clauses is None or not is_name(name):
        return None
    return name + extras + ",".join(sorted(set(clauses)))


def find_requirement_problem(requirement: str) -> str:
    """Return what is wrong with a requirement (PEP 508), or ''."""
    if _parse_plain_requirement(requirement) is not None:
        return ""
    from packaging.requirements import InvalidRequirement, Requirement

    try:
        Requirement(requirement)
    except InvalidRequirement as error:
        return str(error).splitlines()[0]
    except RecursionError:
        return "its marker is nested too deeply"
    return ""


def canonicalize_requirement(requirement: str) -> str:
    """Format a requirement as METADATA holds it."""
    plain = _parse_plain_requirement(requirement)
    if plain is not None:
        return plain
    from packaging.requirements import Requirement

    return str(Requirement(requirement))


def add_extra_marker(requirement: str, extra: str) -> str:
    """Restrict a requirement to one extra by its marker (PEP 508)."""
    plain = _parse_plain_requirement(requirement)
    if plain is not None:
        return f"{plain} ; extra == '{extra}'"
    from packaging.requirements import Requirement

    parsed = Requirement(requirement)
    own = f"({parsed.marker}) and " if parsed.marker and " or " in str(parsed.marker) else ""
    if parsed.marker and not own:
        own = f"{parsed.marker} and "
    parsed.marker = None
    return f"{parsed} ; {own}extra == '{extra}'"


def canonicalize_license(expression: str) -> tuple[str, str]:
    """Return an SPDX expression in canonical form and what is wrong with it; one is ''."""
    if expression in _COMMON_LICENSES:
        return expression, ""
    from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

    try:
        return canonicalize_license_expression(expression), ""
    except InvalidLicenseExpression as error:
        return "", str(error)


def suggest_license(expression: str) -> str:
    """Return a hint with the nearest SPDX identifier."""
    import difflib

    from packaging.licenses._spdx import LICENSES

    known = {key: value["id"] for key, value in LICENSES.items()}
    close = difflib.get_close_matches(expression.lower(), known, n=1, cutoff=0.5)
    return f"did you mean '{known[close[0]]}'?" if close else "see the list at spdx.org/licenses"
