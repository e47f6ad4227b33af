"""Makes the repairs that are certain: one line of a text file at a time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from twofold.check.finding import Edit, Finding


def apply_fixes(root: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Mend what can be mended with certainty, and return the findings that were.

    A file is replaced in one step. An edit whose text does not stand on its line exactly once is
    left alone.
    """
    by_path: dict[str, list[Finding]] = {}
    for finding in findings:
        if finding.fix is not None:
            by_path.setdefault(finding.fix.path, []).append(finding)
    mended = []
    for path, listed in by_path.items():
        mended += _fix_file(root / path, listed)
    return mended


def _fix_file(path: Path, findings: list[Finding]) -> list[Finding]:
    with path.open(encoding="utf-8", newline="") as file:
        lines: list[str | None] = list(file.read().splitlines(keepends=True))
    mended = []
    for finding in findings:
        edit = finding.fix
        text = lines[edit.line - 1] if edit is not None and edit.line <= len(lines) else None
        if edit is None or text is None or text.count(edit.old) != 1:
            continue
        lines[edit.line - 1] = _apply_edit(text, edit)
        mended.append(finding)
    path = path.resolve()  # a link stays one
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text("".join(filter(None, lines)), encoding="utf-8", newline="")
        shutil.copymode(path, temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return mended


def _apply_edit(text: str, edit: Edit) -> str | None:
    """The line after the edit; None when nothing is left on it."""
    new = text.replace(edit.old, edit.new)
    return new if new.strip() else None
