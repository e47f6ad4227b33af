"""Which rule a mistake of pyproject.toml belongs to.

`twofold_build.read_project` reports all mistakes with their places; here each gets its code. One
predicate a rule; the first that owns a mistake counts, and `bad_value` owns the rest.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from twofold.check.finding import Edit
from twofold_build.errors import Problem


def unreadable_project(problem: Problem) -> bool:
    """TF001"""
    return problem.message.startswith(
        ("not valid TOML", "the file is not UTF-8", "there is no [project]", "[project] must be")
    )


def unknown_key(problem: Problem) -> bool:
    """TF002"""
    return problem.message.startswith("unknown key")


def bad_name(problem: Problem) -> bool:
    """TF003"""
    return (_key_of(problem) == "project name" and "package or module" not in problem.message) or (
        problem.message.startswith("'name' is missing")
    )


def bad_version(problem: Problem) -> bool:
    """TF004"""
    return (
        _key_of(problem) == "project version"
        or _table_of(problem) == "tool.twofold.version"
        or problem.message.startswith(("'version' is missing", "the version is dynamic"))
    )


def bad_requirement(problem: Problem) -> bool:
    """TF005"""
    return (
        (
            _key_of(problem) in ("project dependencies", "build-system requires")
            or _table_of(problem) == "project.optional-dependencies"
        )
        and "must be" not in problem.message
        and "holds" not in problem.message
    )


def bad_requires_python(problem: Problem) -> bool:
    """TF006"""
    return _key_of(problem) == "project requires-python"


def bad_licence(problem: Problem) -> bool:
    """TF007"""
    return _key_of(problem) in ("project license", "project license-files")


def bad_entry_point(problem: Problem) -> bool:
    """TF008"""
    table = _table_of(problem)
    return table in ("project.scripts", "project.gui-scripts") or table.startswith(
        "project.entry-points"
    )


def bad_readme(problem: Problem) -> bool:
    """TF009"""
    return _key_of(problem) == "project readme"


def bad_files(problem: Problem) -> bool:
    """TF010"""
    return (
        "package or module" in problem.message
        or "is a link" in problem.message
        or "is a broken link" in problem.message
        or "matches no file" in problem.message
        or _key_of(problem) in ("tool.twofold modules", "tool.twofold source")
    )


def bad_value(problem: Problem) -> bool:
    """TF011"""
    del problem
    return True


def find_fix(problem: Problem, path: str) -> Edit | None:
    """The certain repair of a mistake, if there is one: a key misspelt by a letter or
    two."""
    line = re.match(r"pyproject\.toml:(\d+):", problem.where)
    if line is None:
        return None
    with open(path, encoding="utf-8", errors="replace") as file:
        lines = file.read().splitlines()
    text = lines[int(line.group(1)) - 1] if int(line.group(1)) <= len(lines) else ""
    misspelt = re.fullmatch(r"unknown key '([\w-]+)'", problem.message)
    meant = re.fullmatch(r"did you mean '([\w-]+)'\?", problem.hint)
    if misspelt and meant and re.match(rf"\s*{re.escape(misspelt.group(1))}\s*=", text):
        return _respell(misspelt.group(1), meant.group(1), lines, int(line.group(1)))
    return None


def remove_item(text: str, line: int, item: str) -> Edit | None:
    """Takes one string out of a list of pyproject.toml, with its comma."""
    quoted = rf"""(?:"{re.escape(item)}"|'{re.escape(item)}')"""
    found = re.search(rf"{quoted}\s*,\s*", text) or re.search(rf",?(?<!\s)\s*+{quoted}", text)
    return Edit("pyproject.toml", line, found.group(), "") if found else None


def _respell(written: str, meant: str, lines: list[str], line: int) -> Edit | None:
    from difflib import SequenceMatcher

    is_near = SequenceMatcher(None, written.replace("_", "-"), meant).ratio() > 0.85
    is_there = any(re.match(rf"\s*{re.escape(meant)}\s*[=.]", other) for other in lines)
    return Edit("pyproject.toml", line, written, meant) if is_near and not is_there else None


def _table_of(problem: Problem) -> str:
    return problem.where.partition(": [")[2].partition("]")[0]


def _key_of(problem: Problem) -> str:
    """'project name' of `pyproject.toml:3: [project] name`."""
    table, _, key = problem.where.partition(": [")[2].partition("] ")
    return f"{table} {key}" if key else ""


#: The first predicate that owns a mistake gives its code; TF011 owns the rest.
PREDICATES: dict[str, Callable[[Problem], bool]] = {
    "TF001": unreadable_project,
    "TF002": unknown_key,
    "TF003": bad_name,
    "TF004": bad_version,
    "TF005": bad_requirement,
    "TF006": bad_requires_python,
    "TF007": bad_licence,
    "TF008": bad_entry_point,
    "TF009": bad_readme,
    "TF010": bad_files,
    "TF011": bad_value,
}
