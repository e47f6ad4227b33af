"""`[tool.twofold.publish]` of a project: where its releases go when nothing else is said.

[tool.twofold.publish]
to = ["pypi", "anaconda:me"]
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from twofold.errors import Problem, ProjectErrors


def project_targets(project: Path) -> list[str]:
    """The targets the project names; none where it has no pyproject.toml or no such table.

    Raises ProjectErrors for a table that means nothing.
    """
    where = "pyproject.toml: [tool.twofold.publish]"
    table = _table(project, "publish")
    problems = [
        Problem(f"unknown key '{key}'", "there is one key: to", where)
        for key in (table if isinstance(table, dict) else {})
        if key != "to"
    ]
    targets = table.get("to", []) if isinstance(table, dict) else None
    if not isinstance(targets, list) or not all(isinstance(t, str) for t in targets):
        hint = 'write to = ["pypi", "anaconda:me"]'
        problems.append(Problem("'to' must be a list of targets", hint, where))
    if problems:
        raise ProjectErrors(problems)
    return list(targets or [])


def project_ignores(project: Path) -> list[str]:
    """The codes of checks that [tool.twofold.check] ignore leaves out."""
    table = _table(project, "check")
    codes = table.get("ignore", []) if isinstance(table, dict) else []
    return [str(code) for code in codes] if isinstance(codes, list) else []


def _table(project: Path, name: str) -> Any:
    """[tool.twofold.NAME] of the project's pyproject.toml; empty where there is none."""
    file = project / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        value: Any = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectErrors([Problem(f"it is no TOML: {error}", "", file.name)]) from error
    for key in ("tool", "twofold", name):
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value
