"""The rules that stop the build of another backend: judged by what it made."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from twofold.check.artifacts import check_artifacts
from twofold.check.finding import Finding
from twofold.check.settings import read_check_settings
from twofold_build.diagnostics import Diagnostics


def find_built_errors(root: Path, paths: Sequence[Path]) -> list[Finding]:
    """The errors in built files, less what the project's `[tool.twofold.check]` leaves out.

    Raises ProjectErrors when that table is wrong.
    """
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    mistakes = Diagnostics(path.name, text)
    settings = read_check_settings(tomllib.loads(text), mistakes)
    mistakes.raise_all()
    return [
        found for found in check_artifacts(paths, settings.ignore, settings.allow) if found.is_error
    ]
