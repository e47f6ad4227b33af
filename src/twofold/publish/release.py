"""A project's version and changelog: where the version is written, and its changelog entry."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from packaging.version import InvalidVersion, Version

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold_build.atomic import write_atomically
from twofold_build.model import Project
from twofold_build.pyproject import read_project

#: `__version__ = "1.0"`, with or without an annotation.
DUNDER = re.compile(r"""^(__version__\s*(?::[^=\n]+)?=\s*)(["'])([^"'\n]+)\2""", re.M)


@dataclass(frozen=True)
class FileChange:
    """A file before and after; equal if the new version is written there already."""

    path: Path
    before: bytes
    after: bytes

    def apply(self) -> None:
        """Write the new content."""
        _write(self.path, self.after)

    def revert(self) -> None:
        """Restore the old content."""
        _write(self.path, self.before)


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, data, path.stat().st_mode & 0o7777)


@dataclass(frozen=True)
class VersionPlan:
    """How a version is set: files to change, or (`is_from_tag`) a git tag.

    `files` are all files with the version, including those that have the new one already.
    """

    project: Project
    old: str
    new: str
    changes: tuple[FileChange, ...]
    files: tuple[Path, ...]
    is_from_tag: bool
    tag: str

    @property
    def already_current(self) -> tuple[Path, ...]:
        """The files that have the new version already."""
        changed = {change.path for change in self.changes}
        return tuple(path for path in self.files if path not in changed)


def plan_version(root: Path, wanted: str) -> VersionPlan:
    """Find what must change to make `wanted` the project's version. Nothing is written.

    Raises ProjectErrors for an invalid or lower version, and for a project whose version cannot
    be found.
    """
    project = read_project(root, resolve=False)
    settings = project.settings
    by_tag = "version" in project.dynamic and settings.version_from == "git"
    try:
        project = read_project(root)
    except ProjectErrors:
        if not by_tag:
            raise
        # There is no tag yet: this release creates the first.
    old = project.version
    new = _check_version(wanted, old)
    changes = [] if by_tag else _change_dunders(root, settings.version_path, old, new)
    if "version" not in project.dynamic:
        # Last: while it has the old version, an interrupted run can find the old one in the code.
        changes.append(_change_pyproject(root / "pyproject.toml", new))
    changes += _change_recipes(root, new)
    if not changes and not by_tag:
        raise TwofoldError(
            "twofold cannot change the version of this project: it is set elsewhere",
            f"set it to {new} by hand, or write version in [project]",
            "pyproject.toml: [project] version",
        )
    real = tuple(change for change in changes if change.before != change.after)
    places = tuple(change.path for change in changes)
    tag = f"{settings.version_tag or 'v'}{new}"
    return VersionPlan(project, old, new, real, places, by_tag, tag)


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
    if old and version < Version(old):
        hint = "choose a higher version: installers prefer the highest"
        raise ProjectErrors(
            [Problem(f"{wanted} is lower than the current version {old}", hint, where)]
        )
    return str(version)


def _change_pyproject(path: Path, new: str) -> FileChange:
    before = path.read_bytes()
    document: Any = tomlkit.parse(before.decode("utf-8"))
    if document["project"]["version"] == new:
        return FileChange(path, before, before)
    document["project"]["version"] = new
    return FileChange(path, before, tomlkit.dumps(document).encode("utf-8"))


def _change_dunders(root: Path, named: str, old: str, new: str) -> list[FileChange]:
    """Change `__version__` if it is the old version (or the new one already)."""
    found = []
    for path in [root / named] if named else _list_candidates(root):
        before = path.read_bytes()
        text = before.decode("utf-8", errors="surrogateescape")
        match = DUNDER.search(text)
        if match is None or match.group(3) not in (old, new):
            continue
        after = text[: match.start(3)] + new + text[match.end(3) :]
        found.append(FileChange(path, before, after.encode("utf-8", errors="surrogateescape")))
    return found


#: A version in a recipe: Jinja's `set`, a key of a section, a key of `package: {...}`.
_SET = re.compile(r"""(\s*\{%-?\s*set\s+version\s*=\s*)(["'])([^"']*)""")
_KEY = re.compile(r"""(\s+version:\s*)(["']?)([^"'\s{}$#]+)""")
_INLINE = re.compile(r"""(package:\s*\{(?:[^}]*,)?\s*version:\s*)(["']?)([^"'\s{}$#,]+)""")


def _change_recipes(root: Path, new: str) -> list[FileChange]:
    """Change the version of the recipe that `twofold build` would build.

    Only where it is written out; computed ones (`{{ version }}`) follow it.
    """
    found = []
    for path in (root / name for name in ("meta.yaml", "meta.yml", "recipe.yaml")):
        if not path.is_file():
            continue
        before = path.read_bytes()
        lines = before.decode("utf-8", errors="surrogateescape").splitlines(keepends=True)
        section = ""
        for number, line in enumerate(lines):
            if line[:1].isalpha():
                section = line.partition(":")[0]
            in_section = section in ("package", "recipe", "context")
            match = _SET.match(line) or _INLINE.match(line) or (in_section and _KEY.match(line))
            if match:
                # `1.10` without quotes would be a number
                quote = "" if match[2] or match[3].count(".") > 1 else '"'
                lines[number] = f"{match[1]}{match[2]}{quote}{new}{quote}{line[match.end() :]}"
        after = "".join(lines).encode("utf-8", errors="surrogateescape")
        if after != before or new.encode() in before:
            found.append(FileChange(path, before, after))
    return found


def _list_candidates(root: Path) -> Iterator[Path]:
    for pattern in ("src/*/__init__.py", "src/*/*version*.py", "*/__init__.py", "*/*version*.py"):
        yield from sorted(path for path in root.glob(pattern) if path.is_file())
    yield from sorted(root.glob("*.py"))


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
