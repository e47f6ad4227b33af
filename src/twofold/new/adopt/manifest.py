"""MANIFEST.in -> [tool.twofold.sdist] include and exclude.

The commands are setuptools'; each becomes globs that match something in the tree.
"""

from __future__ import annotations

from pathlib import Path

from twofold.new.adopt.facts import Facts
from twofold.new.adopt.modules import for_pathlib

#: twofold-build leaves these out by itself.
_JUNK = (
    "__pycache__",
    "*.pyc",
    "*.pyo",
    "*.py[cod]",
    "*.py[co]",
    "*~",
    ".DS_Store",
    "*.swp",
    "*.so",
)


def offer_manifest(facts: Facts, path: Path) -> None:
    """Take over every command of the file."""
    root = path.parent
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        includes, excludes, is_known = _globs(words[0], words[1:])
        if not is_known:
            facts.lose(f"MANIFEST.in:{number}", " ".join(words), "not a command of MANIFEST.in")
        there = [glob for glob in includes if any(map(Path.is_file, root.glob(for_pathlib(glob))))]
        if there:
            facts.set("sdist.include", there)
        wanted = [glob for glob in excludes if not glob.endswith(_JUNK)]
        if wanted:
            facts.set("sdist.exclude", wanted)


def _globs(command: str, words: list[str]) -> tuple[list[str], list[str], bool]:
    """(include globs, exclude globs, whether the command is known)."""
    words = [word.strip("/").removeprefix("./") for word in words]
    if command in ("include", "exclude"):
        globs = words
    elif command in ("recursive-include", "recursive-exclude") and len(words) > 1:
        folder, patterns = words[0], words[1:]
        prefix = "" if folder in (".", "*", "") else f"{folder}/"
        globs = [f"{prefix}**/{p}" if p != "*" else f"{prefix}**" for p in patterns]
    elif command in ("graft", "prune"):
        globs = [f"{word}/**" for word in words]
    elif command in ("global-include", "global-exclude"):
        globs = [f"**/{word}" for word in words]
    else:
        return [], [], False
    if command in ("include", "recursive-include", "graft", "global-include"):
        return globs, [], True
    return [], globs, True
