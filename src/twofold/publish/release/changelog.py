"""A project's changelog: its entry for a version, and `Unreleased` that becomes one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from packaging.version import InvalidVersion, Version

from twofold.errors import Problem
from twofold.publish.release.changelog_tool import find_changelog_tool

NAMES = ("CHANGELOG", "CHANGES", "HISTORY", "NEWS", "RELEASES")
ENDINGS = (".md", ".rst", ".txt", "")

#: A version in a heading, with or without a v; not a part of a date.
VERSION = re.compile(
    r"(?<![\w.])(?<!\d-)[vV]?(\d[\w.!+]*(?:-(?:a|b|c|rc|dev|pre|post)[a-z.]*\d*)?)"
)

#: Markdown's `## title`, and a wiki's `== title ==`.
MARKED = re.compile(r"(#{1,6}|={1,6})\s+(?=\S)")

#: The line under a title (reStructuredText, Markdown).
UNDERLINE = re.compile(r"([=\-~^\"'*+#.:_`])\1{2,}")

#: Plain text: the version starts the line, or follows one word (`Version`, the project).
PLAIN = re.compile(r"(?:[\w.-]+ )?[(\[]?[vV]?\d+(?:\.\w+)+[)\]]?(?=$|[\s:;,(-])(?!:\s*\S+://)")

#: Markdown's link definition `[1.2.0]: https://…`, which is not an entry.
LINK = re.compile(r"\[[^\]]+\]:\s")


@dataclass(frozen=True)
class _Heading:
    """A heading: its line (from 0), its text, and its mark (`##`, `-`, '' for plain text)."""

    line: int
    text: str
    mark: str

    def has_version(self, version: str) -> bool:
        return any(_is_same_version(found, version) for found in VERSION.findall(self.text))

    def is_end_of(self, other: _Heading) -> bool:
        """Whether this heading ends the entry of an earlier heading."""
        if self.mark[:1] == other.mark[:1] == "#":
            return len(self.mark) <= len(other.mark)
        return self.mark == other.mark or PLAIN.match(self.text) is not None


def find_changelog_problem(root: Path, version: str, after: bytes | None = None) -> Problem | None:
    """The problem of a changelog without an entry for the version, or with an empty one.

    None for a project without a changelog. `after` is the content it will have, if it changes.
    """
    file = find_changelog(root)
    if file is None:
        return None
    lines = (after or file.read_bytes()).decode("utf-8", errors="replace").splitlines()
    headings = list(_find_headings(lines))
    for number, heading in enumerate(headings):
        if not heading.has_version(version):
            continue
        where = f"{file.name}:{heading.line + 1}"
        if re.search(r"unreleased", heading.text, re.I):
            return Problem(
                f"{version} is still marked unreleased",
                "replace 'unreleased' with the release date",
                where,
            )
        later = headings[number + 1 :]
        end = next((other.line for other in later if other.is_end_of(heading)), len(lines))
        titles = {other.line for other in later}
        if not any(_is_text(lines[n]) for n in range(heading.line + 1, end) if n not in titles):
            return Problem(f"the entry for {version} is empty", "describe what changed", where)
        return None
    hint = f"add a section for {version}, or pass --no-changelog"
    return Problem(f"there is no section for {version}", hint, file.name)


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


def find_changelog(root: Path) -> Path | None:
    """The file that the project's changelog tool writes, else one of a usual name; None: none."""
    tool = find_changelog_tool(root)
    if tool is not None and tool.has_one_file:
        return tool.changelog if tool.changelog.is_file() else None
    for path in sorted(root.iterdir()):
        if path.stem.upper() in NAMES and path.suffix.lower() in ENDINGS and path.is_file():
            return path
    return None


#: A heading of what is not released yet: `[Unreleased]`, `Next`, or a version marked so.
UNRELEASED = re.compile(r"\[?\bunreleased\b\]?", re.I)


def date_unreleased(root: Path, version: str, tags: tuple[str, str], today: date) -> bytes | None:
    """The changelog with its unreleased section made that of the version, as bytes.

    `## [Unreleased]` stays as an empty section above `## [1.2.0] - 2026-11-28`, with its link
    (Keep a Changelog); `1.2.0 - unreleased` gets the date. `tags` are the last one and the new
    one. None if there is nothing to change.
    """
    file = find_changelog(root)
    if file is None:
        return None
    text = file.read_bytes().decode("utf-8", errors="surrogateescape")
    lines = text.splitlines(keepends=True)
    headings = list(_find_headings([line.rstrip("\r\n") for line in lines]))
    for heading in headings:
        if not UNRELEASED.search(heading.text):
            continue
        if heading.has_version(version):
            _replace_heading(lines, heading, UNRELEASED.sub(today.isoformat(), heading.text))
        elif not any(other.has_version(version) for other in headings):
            bracket = f"[{version}]" if "[" in heading.text else version
            _insert_heading(lines, heading, f"{bracket} - {today.isoformat()}")
        else:
            return None
        done = _update_links("".join(lines), version, tags)
        return done.encode("utf-8", errors="surrogateescape")
    return None


def _replace_heading(lines: list[str], heading: _Heading, title: str) -> None:
    line = lines[heading.line]
    lines[heading.line] = line.replace(heading.text.rstrip(), title.rstrip())
    if (heading.mark and heading.mark[0] not in "#=") or _is_underlined(lines, heading):
        _underline(lines, heading.line, title)


def _insert_heading(lines: list[str], heading: _Heading, title: str) -> None:
    """The title of the version below the unreleased one, in the same form."""
    end = "\r\n" if lines[heading.line].endswith("\r\n") else "\n"
    if _is_underlined(lines, heading):
        mark = lines[heading.line + 1].strip()[0]
        below = [end, title + end, mark * len(title) + end]
        lines[heading.line + 2 : heading.line + 2] = below
    else:
        lines[heading.line + 1 : heading.line + 1] = [end, f"{heading.mark} {title}".strip() + end]


def _is_underlined(lines: list[str], heading: _Heading) -> bool:
    below = lines[heading.line + 1].strip() if heading.line + 1 < len(lines) else ""
    return bool(UNDERLINE.fullmatch(below)) and not lines[heading.line].startswith("#")


def _underline(lines: list[str], number: int, title: str) -> None:
    below = lines[number + 1]
    mark = below.strip()[0]
    lines[number + 1] = mark * max(len(title.rstrip()), 3) + below[len(below.rstrip()) :]


def _update_links(text: str, version: str, tags: tuple[str, str]) -> str:
    """Keep a Changelog's links: `[Unreleased]: …/compare/v1.1.0...HEAD` and one for the version."""
    last, new = tags
    link = re.search(r"^\[unreleased\]:[ \t]*+(\S++)[ \t]*+$", text, re.I | re.M)
    place, slash, names = link[1].rpartition("/") if link else ("", "", "")
    end = re.search(r"(\.{2,3})(HEAD|main|master)\Z", names, re.I)
    if link is None or end is None:
        return text
    compare, since, (dots, head) = place + slash, names[: end.start()], end.groups()
    own = f"[{version}]: {compare}{last or since}{dots}{new}"
    return text[: link.start()] + (
        f"[Unreleased]: {compare}{new}{dots}{head}\n{own}" + text[link.end() :]
    )


def read_notes(root: Path, version: str) -> str:
    """The text of the version's section, for the release page of a forge; '' without one."""
    file = find_changelog(root)
    if file is None:
        return ""
    lines = file.read_text("utf-8", errors="replace").splitlines()
    headings = list(_find_headings(lines))
    for number, heading in enumerate(headings):
        if heading.has_version(version):
            after = headings[number + 1 :]
            end = next((other.line for other in after if other.is_end_of(heading)), len(lines))
            body = lines[heading.line + 1 : end]
            if body and UNDERLINE.fullmatch(body[0].strip()):
                body = body[1:]
            return "\n".join(line for line in body if not LINK.match(line)).strip()
    return ""
