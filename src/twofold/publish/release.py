"""Where a project's version is written, and writing another one there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit
from packaging.version import InvalidVersion, Version

from twofold.errors import Problem, ProjectErrors, TwofoldError
from twofold_build.pyproject import Project, read_project

#: `__version__ = "1.0"`, with or without an annotation.
DUNDER = re.compile(r"""^(__version__\s*(?::[^=\n]+)?=\s*)(["'])([^"'\n]+)\2""", re.M)


@dataclass(frozen=True)
class FileChange:
    """A file before and after; `after` equals `before` where the version stands already."""

    path: Path
    before: bytes
    after: bytes

    def apply(self) -> None:
        _write(self.path, self.after)

    def revert(self) -> None:
        _write(self.path, self.before)


def _write(path: Path, data: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.part")
    unfinished.write_bytes(data)
    unfinished.chmod(path.stat().st_mode)
    unfinished.replace(path)


@dataclass(frozen=True)
class VersionPlan:
    """What setting a version takes: files to change, or (`by_tag`) a git tag it comes from.

    `places` are all the files the version stands in, those among them that say it already too.
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
        """The places that say the new version without being changed."""
        changed = {change.path for change in self.changes}
        return tuple(path for path in self.files if path not in changed)


def plan_version(root: Path, wanted: str) -> VersionPlan:
    """Find what must change for `wanted` to be the project's version. Nothing is written.

    Raises ProjectErrors for a version that is none or that goes back, and for a project whose
    version cannot be found.
    """
    project = read_project(root, resolve=False)
    settings = project.settings
    by_tag = "version" in project.dynamic and settings.version_from == "git"
    try:
        project = read_project(root)
    except ProjectErrors:
        if not by_tag:
            raise
        # There is no tag yet: this release makes the first.
    old = project.version
    new = _check_version(wanted, old)
    changes = [] if by_tag else _change_dunders(root, settings.version_path, old, new)
    if "version" not in project.dynamic:
        # Last: while it says the old version, a run that was cut off knows what the code said.
        changes.append(_change_pyproject(root / "pyproject.toml", new))
    if not changes and not by_tag:
        raise TwofoldError(
            "the version is not written where twofold can change it",
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
        hint = "write it like 1.2.0 (PEP 440)"
        raise ProjectErrors([Problem(f"'{wanted}' is no version", hint, where)]) from None
    if version.local:
        hint = "leave the part from + on out"
        raise ProjectErrors([Problem(f"'{wanted}' is a local version", hint, where)])
    if old and version < Version(old):
        hint = "choose a higher one: installers take the highest"
        raise ProjectErrors([Problem(f"{wanted} comes before {old}", hint, where)])
    return str(version)


def _change_pyproject(path: Path, new: str) -> FileChange:
    before = path.read_bytes()
    document: Any = tomlkit.parse(before.decode("utf-8"))
    if document["project"]["version"] == new:
        return FileChange(path, before, before)
    document["project"]["version"] = new
    return FileChange(path, before, tomlkit.dumps(document).encode("utf-8"))


def _change_dunders(root: Path, named: str, old: str, new: str) -> list[FileChange]:
    """`__version__` where it says the old version (or the new one already)."""
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


def _list_candidates(root: Path) -> Iterator[Path]:
    for pattern in ("src/*/__init__.py", "src/*/*version*.py", "*/__init__.py", "*/*version*.py"):
        yield from sorted(path for path in root.glob(pattern) if path.is_file())
    yield from sorted(root.glob("*.py"))
