"""`[tool.twofold.publish]` of a project: where its releases go when nothing else is said.

[tool.twofold.publish]
to = ["pypi", "anaconda:me"]
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from twofold.errors import Problem, ProjectErrors


def project_targets(project: Path) -> list[str]:
    """The targets the project names; none where it has no pyproject.toml or no such table.

    Raises ProjectErrors for a table that means nothing.
    """
    file = project / "pyproject.toml"
    if not file.is_file():
        return []
    where = f"{file.name}: [tool.twofold.publish]"
    try:
        document = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProjectErrors([Problem(f"it is no TOML: {error}", "", file.name)]) from error
    table = document.get("tool", {}).get("twofold", {}).get("publish", {})
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
