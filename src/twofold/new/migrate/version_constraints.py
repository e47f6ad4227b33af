"""Convert version constraints to PEP 440: poetry's carets and tildes, conda's MatchSpecs."""

from __future__ import annotations

import re

from twofold.errors import TwofoldError

_CLAUSE = re.compile(r"\s*(\^|~=|~|===|==|!=|<=|>=|<|>|=)?\s*v?([0-9][^\s,|]*|\*)\s*")


def convert_poetry_constraint(text: str) -> str:
    """Convert a poetry constraint to PEP 440 specifiers ('' for any version).

    `^1.2` means `>=1.2,<2.0`, `~1.2` means `>=1.2,<1.3`, `1.2.*` and `1.2` stay exact.
    Raises TwofoldError for `||`, which PEP 440 cannot express.
    """
    if "|" in text:
        raise TwofoldError(f"'{text}' uses '||' (or), which PEP 440 cannot express")
    clauses: list[str] = []
    for part in text.split(","):
        rest = part
        while rest.strip():
            found = _CLAUSE.match(rest)
            if not found:
                raise TwofoldError(f"'{text}' cannot be read as a version constraint")
            clauses += _convert_clause(found[1] or "", found[2])
            rest = rest[found.end() :]
    return ",".join(clauses)


def _convert_clause(operator: str, version: str) -> list[str]:
    if version == "*":
        return []
    if operator == "^":
        return [f">={version}", f"<{_bump_version(version, _find_caret_place(version))}"]
    if operator == "~":
        return [
            f">={version}",
            f"<{_bump_version(version, 0 if _count_numbers(version) == 1 else 1)}",
        ]
    return [f"{'==' if operator in ('', '=') else operator}{version}"]


def _parse_numbers(version: str) -> list[int]:
    release = re.match(r"(?:\d+!)?(\d+(?:\.\d+)*)", version)
    return [int(part) for part in release[1].split(".")] if release else [0]


def _count_numbers(version: str) -> int:
    return len(_parse_numbers(version))


def _find_caret_place(version: str) -> int:
    """Find the number that a caret fixes: the first that is not zero."""
    numbers = _parse_numbers(version)
    return next((i for i, number in enumerate(numbers) if number), len(numbers) - 1)


def _bump_version(version: str, place: int) -> str:
    numbers = _parse_numbers(version)
    raised = [*numbers[:place], numbers[place] + 1, *[0] * (len(numbers) - place - 1)]
    return ".".join(map(str, raised))


def convert_conda_version(text: str) -> str:
    """Convert the version part of a MatchSpec to PEP 440 specifiers ('' for any).

    `=1.2` is fuzzy in conda: `==1.2.*`; `1.2` and `==1.2` are exact. Raises TwofoldError for
    what PEP 440 cannot express (`1.2|1.3`, a build string).
    """
    text = text.strip()
    if text in ("", "*"):
        return ""
    if "|" in text or " " in text:
        raise TwofoldError(f"'{text}' cannot be expressed in PEP 440")
    clauses = []
    for part in text.split(","):
        found = re.fullmatch(r"(~=|==|!=|<=|>=|<|>|=)?([0-9][A-Za-z0-9.!+_*]*)", part.strip())
        if not found:
            raise TwofoldError(f"'{text}' cannot be expressed in PEP 440")
        sign, version = found[1] or "==", found[2]
        if sign == "=" or (sign == "==" and version.endswith("*")):
            clauses.append(f"=={version.removesuffix('*').removesuffix('.')}.*")
        elif version.endswith(".*") and sign != "!=":
            clauses.append(f"{sign}{version[:-2]}")
        else:
            clauses.append(f"{sign}{version}")
    return ",".join(clauses)
