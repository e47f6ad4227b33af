"""The checks' part of the user's cache: never needed, only quicker.

`clean/KEY` is an empty file: a project whose files and settings hash to KEY has no errors.
`facts/HASH.json` holds the facts of one project's modules, by the hash of each (`facts.store`).
`findings/KEY.json` holds the findings of built files (`checked_files`).
All names depend on the interpreter and on the rules' version, so nothing stale is read.
"""

from __future__ import annotations

import os
import sys

from twofold.cache_dir import get_cache_dir
from twofold_build.atomic import write_atomically

#: Raise it when a rule finds something else or `facts` holds something else: what another version
#: left in the cache is not read.
RULES_VERSION = 19
#: As many files are kept in a folder; each costs a directory entry.
_MAX_FILES = 2000


def interpreter_key() -> str:
    """The Python whose parser judges, and the rules: another one may judge otherwise."""
    return f"{sys.implementation.cache_tag}-{sys.version_info[2]}-{RULES_VERSION}"


def checks_folder() -> str:
    """The folder of the checks in the user's cache."""
    return os.path.join(get_cache_dir(), "check")


def is_clean(key: str) -> bool:
    """Whether nothing stops the build of what hashes to `key`."""
    return os.path.exists(os.path.join(checks_folder(), "clean", key))


def knows_verdicts() -> bool:
    """Whether any verdict is kept: not on a new machine, such as CI's."""
    return os.path.isdir(os.path.join(checks_folder(), "clean"))


def mark_clean(key: str) -> None:
    """Remember that nothing stops the build of what hashes to `key`."""
    place = os.path.join(checks_folder(), "clean")
    if not make_folder(place):
        return
    prune(place)
    write_entry(os.path.join(place, key), b"")


def prune(folder: str) -> None:
    """Remove the older half of a folder of the cache that is full."""
    known = os.listdir(folder)
    if len(known) >= _MAX_FILES:
        oldest = sorted(known, key=lambda name: _modified_at(os.path.join(folder, name)))
        for name in oldest[: _MAX_FILES // 2]:
            _remove(os.path.join(folder, name))


def make_folder(place: str) -> bool:
    """Make a folder; False when that fails: a read-only home only costs the cache."""
    try:
        os.makedirs(place, exist_ok=True)
    except OSError:
        return False
    return True


def write_entry(path: str, data: bytes) -> None:
    """Write a file of the cache in one step; a failure only costs the cache."""
    try:
        write_atomically(path, data)
    except OSError:
        return  # a full disk must not stop the build


def _modified_at(path: str) -> float:
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def _remove(path: str) -> None:
    try:
        os.remove(path)
    except FileNotFoundError:
        return
    except OSError:
        return  # Windows: another process has it open; the next run removes it
