"""Whether a package meets a match spec (`name >=1.0,<2 build*`), by conda's rules.

What a channel's own pages need: names, versions and build strings. The keys of a bracketed spec
that ask for more (`channel`, `md5`, `when`, ...) are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from twofold.names.star_patterns import matches_stars
from twofold.names.version_order import compare_conda_versions, starts_with_version

#: `name`, `name 1.*`, `name >=1.0,<2`, `name 1.0 py_0`: nearly all.
_PLAIN = re.compile(
    r"([\w.-]+)(?: (?!if )((?:[<>]=?|[=!]=)?[\w.*]+(?:,[<>]=?[\w.]+)*)(?: ([\w*]+))?)?", re.ASCII
)
_KEY = re.compile(r"(?<!\w)(\w++)\s*+=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s,\]]*))")
_NAME = re.compile(r"\s*(?:[^\s:]*:[^\s:]*:)?([^\s=<>!~\[(]+)\s*")
#: What repeats in an expression, and a group that does.
_REPEATED = re.compile(r"[*+?{]")
_REPEATED_GROUP = re.compile(r"\)[*+?{]")
_MOST_REPEATED = 3
#: No version or build that a file's name holds is longer.
_LONGEST_TEXT = 255
_OPERATOR = re.compile(r"(==|!=|<=|>=|~=|=|<|>)\s*(.+)")

_ORDERS: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<=": lambda order: order <= 0,
    ">=": lambda order: order >= 0,
    "<": lambda order: order < 0,
    ">": lambda order: order > 0,
}


class ParsedSpec(NamedTuple):
    """A match spec's name, and what it asks of version and build string; '' for anything."""

    name: str
    version: str = ""
    build: str = ""

    def matches(self, record: Mapping[str, Any]) -> bool:
        """Whether a record in repodata is what the spec asks for."""
        return (
            record["name"] == self.name
            and meets_version_spec(str(record["version"]), self.version)
            and _matches_pattern(str(record.get("build", "")), self.build)
        )


@lru_cache(maxsize=65536)
def parse_match_spec(text: str) -> ParsedSpec:
    """Parse a match spec in any of conda's spellings."""
    plain = _PLAIN.fullmatch(text)
    if plain is not None:
        return ParsedSpec(plain[1].lower(), plain[2] or "", plain[3] or "")
    text = text.partition("#")[0].partition(" if ")[0]
    keys: dict[str, str] = {}
    head, opened, rest = text.rstrip().partition("[")
    if opened and rest.endswith("]"):
        keys = {key: "".join(values) for key, *values in _KEY.findall(rest[:-1])}
        text = head
    named = _NAME.match(text)
    if named is None:
        return ParsedSpec("")
    version, build = _split_build(text[named.end() :].strip())
    return ParsedSpec(
        named[1].lower(), keys.get("version", version), keys.get("build", build).strip()
    )


def _split_build(rest: str) -> tuple[str, str]:
    """Split what follows the name: `1.0 py_0`, `>=1.0,<2`, `==1.0=py_0`, `=1.0=py_0`, `=1.0`."""
    exact = re.fullmatch(r"==?([^=<>!~,|\s]+)=([^=,|\s]+)", rest)
    if exact:
        return exact[1], exact[2]
    # A blank after an operator or a comma does not separate version and build.
    words = re.split(r"(?<![\s,|<>=!~(])\s+(?![\s,|)<>=!~])", rest, maxsplit=1)
    return re.sub(r"\s+", "", words[0]), words[1] if len(words) > 1 else ""


@lru_cache(maxsize=65536)
def meets_version_spec(version: str, spec: str) -> bool:
    """Whether a version is in a version spec: alternatives by `|` of constraints by `,`."""
    spec = spec.strip()
    if spec in ("", "*"):
        return True
    if "(" in spec and not spec.startswith("^"):
        return _meets_nested(version, spec)
    return any(
        all(_meets_one(version, part.strip()) for part in choice.split(",") if part.strip())
        for choice in spec.split("|")
    )


def _meets_nested(version: str, spec: str) -> bool:
    """Replace the innermost parentheses by what they come to, `*` or a version that none has."""
    open_parts: list[list[str]] = [[]]
    for piece in re.split(r"([()])", spec):
        if piece == "(":
            open_parts.append([])
        elif piece != ")":
            open_parts[-1].append(piece)
        elif len(open_parts) == 1:
            return False
        else:
            inner = "".join(open_parts.pop())
            open_parts[-1].append("*" if meets_version_spec(version, inner) else "<0!0dev")
    return len(open_parts) == 1 and meets_version_spec(version, "".join(open_parts[0]))


def _meets_one(version: str, spec: str) -> bool:
    if spec.startswith("^"):
        return _matches_expression(version, spec)
    found = _OPERATOR.fullmatch(spec)
    if found:
        return _meets_operator(version, found[1], found[2].strip())
    if spec == "*":
        return True
    if "*" in spec.rstrip("*"):
        return _matches_pattern(version, spec)
    if spec.endswith("*"):
        return starts_with_version(version, spec.rstrip("*").rstrip("."))
    return compare_conda_versions(version, spec) == 0


def _meets_operator(version: str, operator: str, wanted: str) -> bool:
    has_star = wanted.endswith(".*")
    wanted = wanted.removesuffix(".*")
    if operator == "=":
        return starts_with_version(version, wanted)
    if operator == "!=" and has_star:
        return not starts_with_version(version, wanted)
    if operator == "~=":
        prefix = wanted.rpartition(".")[0]
        if compare_conda_versions(version, wanted) < 0:
            return False
        return not prefix or starts_with_version(version, prefix)
    return _ORDERS[operator](compare_conda_versions(version, wanted))


def _matches_pattern(text: str, spec: str) -> bool:
    if spec in ("", "*"):
        return True
    return _matches_expression(text, spec) if spec[:1] == "^" else matches_stars(text, spec)


def _matches_expression(text: str, expression: str) -> bool:
    """Whether a regular expression of a spec matches.

    An uploaded package may have it: one that is invalid, or may take long, matches nothing.
    """
    takes_long = (
        len(_REPEATED.findall(expression)) > _MOST_REPEATED
        or _REPEATED_GROUP.search(expression)
        or len(text) > _LONGEST_TEXT
    )
    try:
        return not takes_long and re.match(expression, text) is not None
    except re.error:
        return False
