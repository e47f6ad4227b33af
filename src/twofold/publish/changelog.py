"""Whether a project's changelog has something to say of a version."""

from __future__ import annotations

import re
from pathlib import Path

from twofold.errors import Problem

NAMES = ("CHANGELOG", "CHANGES", "HISTORY", "NEWS", "RELEASES")
ENDINGS = (".md", ".rst", ".txt", "")


def changelog_problem(root: Path, version: str) -> Problem | None:
    """A problem when there is a changelog without an entry for the version, or with an empty one.

    A project without a changelog has no problem.
    """
    file = _find(root)
    if file is None:
        return None
    lines = file.read_text("utf-8", errors="replace").splitlines()
    heading = re.compile(rf"^(#+\s*|\[|=*\s*)?.{{0,40}}(?<![\w.]){re.escape(version)}(?![\w.]).*$")
    for number, line in enumerate(lines, 1):
        if not heading.match(line) or line.lstrip().startswith(("-", "*", "|")):
            continue
        where = f"{file.name}:{number}"
        if re.search(r"unreleased", line, re.I):
            return Problem(f"{version} is still marked unreleased", "write its date there", where)
        if not _has_text_below(lines[number:]):
            return Problem(f"the entry for {version} is empty", "say what changed", where)
        return None
    hint = f"add a heading for {version} and what changed, or give --no-changelog"
    return Problem(f"it has no entry for {version}", hint, file.name)


def _has_text_below(lines: list[str]) -> bool:
    """Whether anything but underlines stands before the next heading."""
    for line in lines:
        if line.startswith("#"):
            return False
        if line.strip() and not re.fullmatch(r"[=\-~^\"']+", line.strip()):
            return True
    return False


def _find(root: Path) -> Path | None:
    for path in sorted(root.iterdir()):
        if path.stem.upper() in NAMES and path.suffix.lower() in ENDINGS and path.is_file():
            return path
    return None
