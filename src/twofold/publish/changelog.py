"""Whether a project's changelog has something to say of a version.

Changelogs are written in Markdown (`## [1.2.0] - 2026-01-01` with `### Added` below it), in
reStructuredText (a line under the version) and as plain text (`1.2.0 (2026-01-01)`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from twofold.errors import Problem

NAMES = ("CHANGELOG", "CHANGES", "HISTORY", "NEWS", "RELEASES")
ENDINGS = (".md", ".rst", ".txt", "")

#: A version in a heading, with a v or not; a part of a date is none.
VERSION = re.compile(
    r"(?<![\w.])(?<!\d-)[vV]?(\d[\w.!+]*(?:-(?:a|b|c|rc|dev|pre|post)[a-z.]*\d*)?)"
)

#: Markdown's `## title`, and a wiki's `== title ==`.
MARKED = re.compile(r"(#{1,6}|={1,6})\s+(?=\S)")

#: The line under a title (reStructuredText, Markdown).
UNDERLINE = re.compile(r"([=\-~^\"'*+#.:_`])\1{2,}")

#: Plain text: the version begins the line, or comes after one word (`Version`, the project).
PLAIN = re.compile(r"(?:[\w.-]+ )?[(\[]?[vV]?\d+(?:\.\w+)+[)\]]?(?=$|[\s:;,(-])(?!:\s*\S+://)")

#: Markdown's `[1.2.0]: https://…`, which is where a link leads and no entry.
LINK = re.compile(r"\[[^\]]+\]:\s")


@dataclass(frozen=True)
class _Heading:
    """A title: its line (from 0), its text, and how it is marked (`##`, `-`, '' for plain text)."""

    line: int
    text: str
    mark: str

    def has_version(self, version: str) -> bool:
        return any(_is_same_version(found, version) for found in VERSION.findall(self.text))

    def is_end_of(self, other: _Heading) -> bool:
        """Whether this title ends the entry of the other one before it."""
        if self.mark[:1] == other.mark[:1] == "#":
            return len(self.mark) <= len(other.mark)
        return self.mark == other.mark or PLAIN.match(self.text) is not None


def find_changelog_problem(root: Path, version: str) -> Problem | None:
    """A problem when there is a changelog without an entry for the version, or with an empty one.

    A project without a changelog has no problem.
    """
    file = _find_changelog(root)
    if file is None:
        return None
    lines = file.read_text("utf-8", errors="replace").splitlines()
    headings = list(_find_headings(lines))
    for number, heading in enumerate(headings):
        if not heading.has_version(version):
            continue
        where = f"{file.name}:{heading.line + 1}"
        if re.search(r"unreleased", heading.text, re.I):
            return Problem(f"{version} is still marked unreleased", "write its date there", where)
        after = headings[number + 1 :]
        end = next((other.line for other in after if other.is_end_of(heading)), len(lines))
        titles = {other.line for other in after}
        if not any(_is_text(lines[n]) for n in range(heading.line + 1, end) if n not in titles):
            return Problem(f"the entry for {version} is empty", "say what changed", where)
        return None
    hint = f"add a heading for {version} and what changed, or give --no-changelog"
    return Problem(f"it has no entry for {version}", hint, file.name)


def _find_headings(lines: Sequence[str]) -> Iterator[_Heading]:
    for number, line in enumerate(lines):
        below = lines[number + 1].strip() if number + 1 < len(lines) else ""
        marked = MARKED.match(line)
        if marked:
            yield _Heading(number, line[marked.end() :], marked.group(1))
        elif LINK.match(line) or not line.strip() or UNDERLINE.fullmatch(line.strip()):
            continue
        elif UNDERLINE.fullmatch(below) and not line[0].isspace():
            yield _Heading(number, line, below[0])
        elif PLAIN.match(line):
            yield _Heading(number, line, "")


def _is_text(line: str) -> bool:
    bare = line.strip()
    return bool(bare) and not UNDERLINE.fullmatch(bare) and not LINK.match(bare)


def _is_same_version(found: str, version: str) -> bool:
    try:
        return Version(found.rstrip(".")) == Version(version)
    except InvalidVersion:
        return False


def _find_changelog(root: Path) -> Path | None:
    for path in sorted(root.iterdir()):
        if path.stem.upper() in NAMES and path.suffix.lower() in ENDINGS and path.is_file():
            return path
    return None
