"""Raises what the members of a workspace require of one of them, in its pyproject.toml.

Everywhere that requirements are written: lists of PEP 508 requirements (dependencies, extras,
dependency groups, what a build requires) and tables of names (poetry's, pixi's). Only what excludes
the new version or is below it changes, and the text around it stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from packaging.requirements import InvalidRequirement, Requirement
from packaging.version import InvalidVersion, Version

from twofold.names import normalize_name
from twofold_build.toml_lines import find_line

#: One clause of a version specifier of PEP 440, poetry or conda: operator, version, `.*`.
_CLAUSE = re.compile(
    r"(?P<operator>===?|~=|!=|>=|<=|>|<|\^|~|=|(?<![\s0-9A-Za-uw-z.!+-]))(?P<blank>\s*+)"
    r"(?P<version>[0-9][0-9A-Za-z.!+-]*?)(?P<star>\.\*)?(?=$|[\s,|);])"
)
#: Name and extras before the specifiers of a PEP 508 requirement, a marker after them.
_REQUIREMENT = re.compile(r"(\s*[\w.-]+\s*(?:\[[^\]]*\])?\s*\(?)([^;]*)(.*)", re.DOTALL)


class _Written(NamedTuple):
    """A value that requires the member, and what it becomes; `table` and `key` are where it is."""

    table: str
    key: str
    old: str
    new: str


def raise_in_document(text: str, document: dict[str, Any], name: str, version: Version) -> str:
    """The text of a TOML file with the requirements of `name` raised to `version`.

    `name` is normalized, `document` is the parsed text. `==1.0`, `>=1.0`, `^1.0` become the new
    version; `~=1.0`, `=1.0` and `1.0.*` keep their number of parts; an upper bound that excludes
    the version moves behind it. `!=`, and a requirement that is higher already, stay.
    """
    lines = text.splitlines(keepends=True)
    for found in _find_requirements(document, name, version):
        at = find_line(text, found.table, found.key, found.old)
        for number in range((at or 1) - 1, len(lines)):
            changed = _replace_string(lines[number], found.old, found.new)
            if changed != lines[number]:
                lines[number] = changed
                break
    return "".join(lines)


def _replace_string(line: str, old: str, new: str) -> str:
    """The line with a quoted string replaced, as a literal string or with escaped quotes."""
    for before, after in ((old, new), (old.replace('"', '\\"'), new.replace('"', '\\"'))):
        for quote in "\"'":
            line = line.replace(f"{quote}{before}{quote}", f"{quote}{after}{quote}")
    return line


def _find_requirements(
    value: Any, name: str, version: Version, path: tuple[str, ...] = ()
) -> Iterator[_Written]:
    """Every requirement of a member that changes, with where it is."""
    table, key = ".".join(path[:-1]), path[-1] if path else ""
    if isinstance(value, list):
        for item in value:
            if isinstance(item, str):
                changed = raise_requirement(item, name, version)
                if changed != item:
                    yield _Written(table, key, item, changed)
            else:
                yield from _find_requirements(item, name, version, path)
    elif isinstance(value, dict):
        is_table_of_names = bool(path) and path[-1].endswith("dependencies")
        for inner, item in value.items():
            if is_table_of_names and normalize_name(inner) == name:
                yield from _find_specifiers(item, version, (*path, inner))
            else:
                yield from _find_requirements(item, name, version, (*path, inner))


def _find_specifiers(value: Any, version: Version, path: tuple[str, ...]) -> Iterator[_Written]:
    """What a table of names requires: a specifier, a table with `version`, or several of them."""
    if isinstance(value, list):
        for item in value:
            yield from _find_specifiers(item, version, path)
        return
    if isinstance(value, dict):
        value, path = value.get("version"), (*path, "version")
    if isinstance(value, str):
        changed = raise_specifiers(value, version)
        if changed != value:
            yield _Written(".".join(path[:-1]), path[-1], value, changed)


def raise_requirement(written: str, name: str, version: Version) -> str:
    """Raise the specifiers of a PEP 508 requirement of `name`; any other text stays."""
    try:
        requirement = Requirement(written)
    except InvalidRequirement:
        return written
    if normalize_name(requirement.name) != name or requirement.url:
        return written
    match = _REQUIREMENT.fullmatch(written)
    assert match is not None, written
    head, specifiers, marker = match.groups()
    return f"{head}{raise_specifiers(specifiers, version)}{marker}"


def raise_specifiers(written: str, version: Version) -> str:
    """Specifiers that admit the version and nothing older; alternatives (`||`) stay."""
    if "|" in written:
        return written
    return _CLAUSE.sub(lambda clause: _raise_clause(clause, version), written)


def _raise_clause(clause: re.Match[str], new: Version) -> str:
    operator, star, blank = clause["operator"], clause["star"] or "", clause["blank"]
    try:
        old = Version(clause["version"])
    except InvalidVersion:
        return clause[0]
    if operator in ("<", "<="):
        raised = _move_bound(old, operator, new, clause["version"])
    elif old >= new or operator in ("!=", ">"):
        raised = clause["version"]
    elif star or operator in ("~=", "=") or (operator == "~" and len(old.release) == 1):
        raised = _cut(new, len(old.release), is_exact=not star)
    else:
        raised = str(new)
    return f"{operator}{blank}{raised}{star}"


def _cut(version: Version, parts: int, *, is_exact: bool) -> str:
    """The first parts of a version; all of a pre-release, which a shorter one would exclude."""
    if is_exact and (version.is_prerelease or parts >= len(version.release)):
        return str(version)
    numbers = [*version.release, *([0] * parts)][:parts]
    return f"{version.epoch}!" * bool(version.epoch) + ".".join(map(str, numbers))


def _move_bound(old: Version, operator: str, new: Version, written: str) -> str:
    """An upper bound that admits the version: at the same part, behind it."""
    base = Version(new.base_version)
    if operator == "<=":
        return str(new) if new > old else written
    if base < old:
        return written
    numbers = [*new.release, *([0] * len(old.release))][: len(old.release)]
    last = max((at for at, number in enumerate(old.release) if number), default=0)
    numbers[last] += 1
    moved = numbers[: last + 1] + [0] * (len(numbers) - last - 1)
    return f"{new.epoch}!" * bool(new.epoch) + ".".join(map(str, moved))
