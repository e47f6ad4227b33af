"""`[tool.twofold.publish]` of a project: where its releases go when nothing else is said.

[tool.twofold.publish]
to = ["pypi", "anaconda:me"]
verify = false                # do not fetch files back: for indexes that nobody may read
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twofold.check.settings import CheckSettings, read_check_settings
from twofold.errors import Problem, ProjectErrors
from twofold_build.diagnostics import Diagnostics


@dataclass(frozen=True)
class PublishTable:
    """`to`: the targets the project names. `verify` is False where files are not fetched back."""

    to: tuple[str, ...] = ()
    verify: bool = True


def read_publish_table(project: Path) -> PublishTable:
    """What the project says; nothing where it has no pyproject.toml or no such table.

    Raises ProjectErrors for a table that means nothing.
    """
    where = "pyproject.toml: [tool.twofold.publish]"
    table = _read_table(project, "publish")
    if not isinstance(table, dict):
        raise ProjectErrors([Problem("it must be a table", "write [tool.twofold.publish]", where)])
    problems = [
        Problem(f"unknown key '{key}'", "the keys are: to, verify", where)
        for key in table
        if key not in ("to", "verify")
    ]
    targets, verify = table.get("to", []), table.get("verify", True)
    if not isinstance(targets, list) or not all(isinstance(t, str) for t in targets):
        hint = 'write to = ["pypi", "anaconda:me"]'
        problems.append(Problem("'to' must be a list of targets", hint, where))
    if not isinstance(verify, bool):
        problems.append(Problem("'verify' must be true or false", "write verify = false", where))
    if problems:
        raise ProjectErrors(problems)
    return PublishTable(tuple(targets), verify)


def load_check_settings(project: Path) -> CheckSettings:
    """`[tool.twofold.check]`: the rules that are left out, the files that may look secret.

    Raises ProjectErrors for a table that means nothing.
    """
    file = project / "pyproject.toml"
    mistakes = Diagnostics(file.name, file.read_text("utf-8") if file.is_file() else "")
    settings = read_check_settings(_read_document(project), mistakes)
    mistakes.raise_all()
    return settings


def _read_table(project: Path, name: str) -> Any:
    """[tool.twofold.NAME] of the project's pyproject.toml; empty where there is none."""
    value: Any = _read_document(project)
    for key in ("tool", "twofold", name):
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value


def _read_document(project: Path) -> dict[str, Any]:
    file = project / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "mend it: 'twofold check' names the line"
        raise ProjectErrors([Problem(f"it is no TOML: {error}", hint, file.name)]) from error
