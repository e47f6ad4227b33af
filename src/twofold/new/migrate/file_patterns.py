"""List a project's files, and convert the patterns that select them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from twofold.new.migrate.facts import Facts
from twofold_build.globs import Globs
from twofold_build.ignore import IgnoreRule

#: Folders that no build packs.
_UNREAD_FOLDERS = frozenset({".git", ".hg", "__pycache__", ".venv", ".tox", ".nox"})


def convert_globs(facts: Facts, root: Path, setting: str, patterns: Sequence[str]) -> None:
    """Convert gitignore-like patterns to paths from the project's folder."""
    globs = []
    for pattern in patterns:
        plain = pattern.strip("/").removeprefix("./").replace("[^", "[!")
        if setting.endswith("exclude") and _is_deeper(root, pattern):
            globs.append(f"**/{plain}")
        elif (root / plain).is_dir():
            globs.append(f"{plain}/**")
        elif "/" in pattern.rstrip("/") or (root / plain).exists():
            globs.append(plain)
        else:
            globs.append(f"**/{plain}")
    if globs:
        facts.add_setting(setting, globs)


def _is_deeper(root: Path, pattern: str) -> bool:
    """Whether a pattern of gitignore names files or folders in other folders than the first."""
    plain = pattern.rstrip("/")
    return "/" not in plain and any(path.parent != root for path in root.rglob(plain))


def list_files(root: Path, rules: Sequence[IgnoreRule] | None) -> list[str]:
    """List the project's files, sorted; with `rules` those that the last fitting rule selects.

    A rule fits a file if it matches its path or a folder above it.
    """
    found = []
    for folder, names, files in os.walk(root):
        names[:] = sorted(n for n in names if n not in _UNREAD_FOLDERS)
        for name in sorted(files):
            path = (Path(folder) / name).relative_to(root).as_posix()
            if rules is None or _is_selected(path, rules):
                found.append(path)
    return sorted(found)


def _is_selected(path: str, rules: Sequence[IgnoreRule]) -> bool:
    places = [path, *(str(parent) for parent in PurePosixPath(path).parents if str(parent) != ".")]
    for rule in reversed(rules):
        if any(rule.match(p, p.rpartition("/")[2], p != path) for p in places):
            return not rule.negated
    return False


def match_files(root: Path, glob: str) -> set[str]:
    """The files that a glob of ours or of poetry's matches."""
    globs = Globs([glob.removesuffix("/*") if glob.endswith("**/*") else glob])
    return {path for path in list_files(root, None) if globs.match(path)}


def to_rules(patterns: Iterable[str]) -> list[IgnoreRule]:
    """Return gitignore's patterns as rules, from the project's folder on."""
    return [IgnoreRule(str(pattern), "") for pattern in patterns if str(pattern).strip("!/ ")]


def fold_folders(paths: Iterable[str], kept: set[str]) -> list[str]:
    """Name folders instead of all their files, where none of the others is in them."""
    used = {str(parent) for path in kept for parent in PurePosixPath(path).parents}
    found: dict[str, None] = {}
    for path in paths:
        outer = [str(p) for p in PurePosixPath(path).parents if str(p) not in (*used, ".")]
        found[f"{outer[-1]}/**" if outer else path] = None
    return list(found)


def to_pathlib_glob(glob: str) -> str:
    """Convert a glob for Path.glob, where a final `**` matches folders only."""
    return f"{glob}/*" if glob.endswith("**") else glob
