"""A release: the plan of its version, and its entry in the changelog."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold.publish.version_files import (
    DeclaredReader,
    FileChange,
    StatedVersion,
    change_followers,
    change_recipes,
    find_definitions,
    read_document,
    read_stated_version,
)


@dataclass(frozen=True)
class VersionPlan:
    """How a version is set: files to change, or (`is_from_tag`) a git tag.

    `files` are all files with the version, including those that have the new one already. `title`
    is the message of the commit: with the name, where the repository holds other projects too.
    """

    name: str
    old: str
    new: str
    changes: tuple[FileChange, ...]
    files: tuple[Path, ...]
    is_from_tag: bool
    tag: str
    title: str

    @property
    def already_current(self) -> tuple[Path, ...]:
        """The files that have the new version already."""
        changed = {change.path for change in self.changes}
        return tuple(path for path in self.files if path not in changed)


def plan_version(
    root: Path, wanted: str, read_declared: DeclaredReader | None = None
) -> VersionPlan:
    """Find what must change to make `wanted` the project's version. Nothing is written.

    Raises ProjectErrors for an invalid or lower version, and TwofoldError for a project whose
    version cannot be found.
    """
    document = read_document(root / "pyproject.toml")
    stated = read_stated_version(root, document, read_declared)
    new = _check_version(wanted, stated.version)
    changes: list[FileChange] = []
    if not stated.by_tag:
        changes = list(find_definitions(root, stated, new))
        if not changes:
            where = f" ({stated.path.relative_to(root)})" if stated.path else ""
            raise TwofoldError(
                "twofold cannot change the version of this project: it is set elsewhere" + where,
                f"set it to {new} by hand, or write version in [project]",
                "pyproject.toml: [project] version",
            )
    changes = [*change_recipes(root, new), *change_followers(root, stated, new), *changes]
    real = tuple(change for change in changes if change.before != change.after)
    places = tuple(dict.fromkeys(change.path for change in changes))
    is_part = not (root / ".git").exists() and any((p / ".git").exists() for p in root.parents)
    tag = _make_tag(document, stated, new, is_part)
    title = f"Release {stated.name} {new}" if is_part else f"Release {new}"
    return VersionPlan(stated.name, stated.version, new, real, places, stated.by_tag, tag, title)


def _make_tag(document: dict[str, Any], stated: StatedVersion, new: str, is_part: bool) -> str:
    """The tag of a release: a repository of several projects needs one for each."""
    table = document.get("tool", {}).get("twofold", {}).get("release", {})
    form = table.get("tag") if isinstance(table, dict) else ""
    where = "pyproject.toml: [tool.twofold.release]"
    if form is not None and not (isinstance(form, str) and form.endswith("{version}")):
        hint = 'write tag = "{name}-v{version}"'
        raise ProjectErrors([Problem("'tag' must be a text that ends with {version}", hint, where)])
    if stated.by_tag or not form:
        prefix = stated.tag_prefix
        if is_part and not stated.by_tag and prefix == "v":
            prefix = f"{stated.name}-v"
        return f"{prefix}{new}"
    return form.replace("{name}", stated.name).replace("{version}", new)


def _check_version(wanted: str, old: str) -> str:
    where = "twofold release"
    try:
        version = Version(wanted)
    except InvalidVersion:
        hint = f"the current version is {old or 'unknown'}; write the new one like 1.2.0 (PEP 440)"
        raise ProjectErrors([Problem(f"'{wanted}' is not a version", hint, where)]) from None
    if version.local:
        hint = "remove the part after +"
        raise ProjectErrors([Problem(f"'{wanted}' is a local version", hint, where)])
    if old and version < _parse(old):
        hint = "choose a higher version: installers prefer the highest"
        raise ProjectErrors(
            [Problem(f"{wanted} is lower than the current version {old}", hint, where)]
        )
    return str(version)


def _parse(old: str) -> Version:
    """The version to compare with; one that is not PEP 440's comes before all."""
    try:
        return Version(old)
    except InvalidVersion:
        return Version("0.dev0")


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


def find_changelog_problem(root: Path, version: str) -> Problem | None:
    """The problem of a changelog without an entry for the version, or with an empty one.

    None for a project without a changelog.
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
            return Problem(
                f"{version} is still marked unreleased",
                "replace 'unreleased' with the release date",
                where,
            )
        after = headings[number + 1 :]
        end = next((other.line for other in after if other.is_end_of(heading)), len(lines))
        titles = {other.line for other in after}
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


def _find_changelog(root: Path) -> Path | None:
    for path in sorted(root.iterdir()):
        if path.stem.upper() in NAMES and path.suffix.lower() in ENDINGS and path.is_file():
            return path
    return None
