"""MANIFEST.in -> [tool.twofold.sdist] include and exclude.

The commands are setuptools'; each becomes globs that match something in the tree.
"""

from __future__ import annotations

from pathlib import Path

from twofold.new.migrate.facts import Facts
from twofold.new.migrate.modules import to_pathlib_glob

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


def read_manifest(facts: Facts, path: Path) -> None:
    """Take over every command of the file."""
    root = path.parent
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for number, line in enumerate(text.splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        includes, excludes, is_known = _convert_command(words[0], words[1:])
        if not is_known:
            facts.drop(f"MANIFEST.in:{number}", " ".join(words), "not a command of MANIFEST.in")
        there = [
            glob for glob in includes if any(map(Path.is_file, root.glob(to_pathlib_glob(glob))))
        ]
        if there:
            facts.add_setting("sdist.include", there)
        wanted = [glob for glob in excludes if not glob.endswith(_JUNK)]
        if wanted:
            facts.add_setting("sdist.exclude", wanted)


def _convert_command(command: str, arguments: list[str]) -> tuple[list[str], list[str], bool]:
    """(include globs, exclude globs, whether the command is known)."""
    arguments = [word.strip("/").removeprefix("./") for word in arguments]
    if command in ("include", "exclude"):
        globs = arguments
    elif command in ("recursive-include", "recursive-exclude") and len(arguments) > 1:
        folder, patterns = arguments[0], arguments[1:]
        prefix = "" if folder in (".", "*", "") else f"{folder}/"
        globs = [f"{prefix}**/{p}" if p != "*" else f"{prefix}**" for p in patterns]
    elif command in ("graft", "prune"):
        globs = [f"{word}/**" for word in arguments]
    elif command in ("global-include", "global-exclude"):
        globs = [f"**/{word}" for word in arguments]
    else:
        return [], [], False
    if command in ("include", "recursive-include", "graft", "global-include"):
        return globs, [], True
    return [], globs, True
