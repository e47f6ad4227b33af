"""A finding of a rule, and its fix if one is certain."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import Any


class Edit:
    """A certain repair: on one line of a text file, `old` becomes `new`.

    `path` is relative to the project's root, `line` counts from 1. `old` must be on the
    line exactly once; a line left empty is removed.
    """

    __slots__ = ("line", "new", "old", "path")

    def __init__(self, path: str, line: int, old: str, new: str) -> None:
        self.path = path
        self.line = line
        self.old = old
        self.new = new


class Finding:
    """One thing a rule found.

    `code` is stable (TF101), `severity` 'error' or 'warning'. `where` names file, line, table
    and key as far as known (`src/pkg/mod.py:3`, `pyproject.toml:12: [project] version`,
    `x.whl: pkg/mod.py:3`). `fix` is the repair that `--fix` makes, None where none is certain.
    A plain class and not a dataclass: it is imported by every `twofold build`.
    """

    __slots__ = ("code", "fix", "hint", "message", "severity", "where")

    def __init__(
        self,
        code: str,
        severity: str,
        message: str,
        hint: str = "",
        where: str = "",
        fix: Edit | None = None,
    ) -> None:
        self.code = code
        self.severity = severity
        self.message = message
        self.hint = hint
        self.where = where
        self.fix = fix

    @property
    def is_error(self) -> bool:
        """Whether the finding is an error and not a warning."""
        return self.severity == "error"

    @property
    def place(self) -> tuple[str, int]:
        """The file and the line (0 when not known) of `where`."""
        import re  # costs 3 ms, which a build without findings does not pay

        found = re.match(r"(.*?):(\d+)(?::|$)", self.where)
        if found:
            return found.group(1), int(found.group(2))
        return self.where.partition(": ")[0], 0

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        file, line = self.place
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "hint": self.hint,
            "where": self.where,
            "file": file,
            "line": line or None,
            "fixable": self.fix is not None,
        }

    def __repr__(self) -> str:
        return f"Finding({self.code} {self.severity} {self.where}: {self.message!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Finding) and self.as_dict() == other.as_dict()

    def __hash__(self) -> int:
        return hash((self.code, self.where, self.message))


def sort_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Errors first, then by file, line and code; the same finding once."""
    return sorted(
        dict.fromkeys(findings), key=lambda f: (not f.is_error, *f.place, f.code, f.message)
    )


def apply_fixes(root: Path, findings: Iterable[Finding]) -> list[Finding]:
    """Apply the fixes of findings, and return the findings that were fixed.

    A file is replaced in one step. An edit whose text is not on its line exactly once is
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
    from twofold_build.atomic import write_atomically

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
    text = "".join(filter(None, lines))
    write_atomically(path, text.encode(), path.stat().st_mode & 0o7777)
    return mended


def _apply_edit(text: str, edit: Edit) -> str | None:
    """The line after the edit; None when nothing is left on it."""
    new = text.replace(edit.old, edit.new)
    return new if new.strip() else None
