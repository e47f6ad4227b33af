"""A folder of files as a static index and channel: any web server, or file://, can serve it.

    folder/
        noarch/my_package-1.0.0-py_0.conda      conda packages, by subdir
        noarch/repodata.json, current_repodata.json, run_exports.json, each with .zst
        noarch/repodata_shards.msgpack.zst, shards/
        channeldata.json, notices.json
        my_package-1.0.0-py3-none-any.whl       wheels and sdists, here or one folder down
        my_package-1.0.0-py3-none-any.whl.metadata
        simple/index.html, simple/my-package/index.html, index.json

Incremental: files that did not change are not opened again, pages that stay the same are not
written again. Every file is written under another name and moved into place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from twofold.errors import Problem, TwofoldError
from twofold.index.cache import Cache, Identity
from twofold_build.atomic import remove_leftovers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.index.patches import Patches

_SUBDIR = re.compile(r"noarch|(linux|osx|win|freebsd|emscripten|wasi|zos)-[a-z0-9_]+")
_CONDA = (".conda", ".tar.bz2")
_PYPI = (".whl", ".tar.gz")
#: The channel of the folder's wheels as records of revision 3, in the folder.
V3_FOLDER = "v3"


class IndexResult(NamedTuple):
    """What an indexing did: files in the index, those read again and gone, those left out."""

    folder: Path
    files: int
    read: int
    removed: int
    problems: tuple[Problem, ...]
    written: int


class _Found(NamedTuple):
    """Files in the folder: path relative to it -> identity; and what has a package's name and is
    not a file (a dangling link; a pipe, which would block the reader)."""

    files: dict[str, Identity]
    subdirs: set[str]
    not_files: list[str]


def index_folder(
    folder: Path,
    *,
    workers: int | None = None,
    wheels: Mapping[str, Mapping[str, dict[str, Any]]] | None = None,
    patches: Patches | None = None,
) -> IndexResult:
    """Make or renew the index of a folder; damaged files are left out and reported.

    `workers` are the processes that read new files (0: this one alone; by default as many as
    cores when there is much to read). `wheels` are records of revision 3 by subdir and key, for
    the channel `v3/` in the folder. `patches` correct records. Raises TwofoldError where the
    folder is missing.
    """
    if not folder.is_dir():
        raise TwofoldError(f"{folder} is not a folder", "name the folder that holds the packages")
    remove_leftovers(folder, deep=True)
    found = _find_files(folder)
    with Cache(folder) as cache:
        known = cache.identities()
        fresh = {p: identity for p, identity in found.files.items() if known.get(p) != identity}
        gone = [path for path in known if path not in found.files]
        touched, read, problems = _read_fresh(folder, cache, fresh, workers)
        touched |= cache.remove(gone)
        problems += [
            Problem("it is not a file", "remove it", path) for path in sorted(found.not_files)
        ]
        written = _write(folder, cache, touched, found.subdirs, patches)
        if wheels or (folder / V3_FOLDER).is_dir():
            from twofold.index.folder_pages import write_wheel_records

            written += write_wheel_records(folder / V3_FOLDER, wheels or {})
        # A file that could not be read is not cached: every run tries and reports it.
        damaged = {problem.where for problem in problems}
        count = len(found.files.keys() - damaged)
    return IndexResult(folder, count, read, len(gone), tuple(problems), written)


def _read_fresh(
    folder: Path, cache: Cache, files: Mapping[str, Identity], workers: int | None
) -> tuple[set[tuple[str, str]], int, list[Problem]]:
    """Read new files into the cache; returns whose pages change, the number read, the damaged.

    A file that was written again with the same content, as by a checkout, changes no page.
    """
    if not files:
        return set(), 0, []
    from twofold.index.file_reading import read_files

    kept, problems = read_files(folder, files, workers)
    before = {one.path: one for one in cache.find(files)}
    touched = cache.remove(before.keys() - {one.path for one in kept})
    for one in kept:
        old = before.get(one.path)
        if old is None or one.shown != old.shown:
            touched.add((one.folder, one.name))
    cache.put(kept)
    return touched, len(kept), problems


def _find_files(folder: Path) -> _Found:
    """Every package in its place. Hidden files and pages are passed over."""
    files: dict[str, Identity] = {}
    subdirs: set[str] = set()
    odd: list[str] = []

    def see(entry: os.DirEntry[str], path: str) -> None:
        if entry.is_file():
            stat = entry.stat()
            files[path] = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
        else:
            odd.append(path)

    for entry in os.scandir(folder):
        if entry.name.startswith(".") or entry.name == "simple":
            continue
        if entry.is_dir():
            is_subdir = _SUBDIR.fullmatch(entry.name) is not None
            if is_subdir:
                subdirs.add(entry.name)
            endings = _CONDA if is_subdir else _PYPI
            for inner in os.scandir(entry.path):
                if inner.name.endswith(endings) and not inner.name.startswith("."):
                    see(inner, f"{entry.name}/{inner.name}")
        elif entry.name.endswith(_PYPI):
            see(entry, entry.name)
    return _Found(files, subdirs, odd)


def _write(
    folder: Path,
    cache: Cache,
    touched: Iterable[tuple[str, str]],
    subdirs: set[str],
    patches: Patches | None,
) -> int:
    """Write what changed; returns how many files were written."""
    names: dict[str, set[str]] = {}
    for place, name in touched:
        names.setdefault(place, set()).add(name)
    projects = names.pop("", set())
    written = 0
    has_projects = cache.has_files("")
    if projects or has_projects != (folder / "simple" / "index.html").exists():
        from twofold.index.folder_pages import write_project_pages

        written += write_project_pages(folder, cache, projects)
    every = sorted({*cache.folders(), *subdirs, *names} - {""})
    if not every and has_projects:
        return written  # a folder of wheels is not a channel
    for subdir in sorted({"noarch", *every}):
        changed = names.get(subdir, set())
        if changed or patches or not _has_pages(folder / subdir):
            from twofold.index.folder_pages import write_subdir

            written += write_subdir(folder, cache, subdir, changed, patches)
    if names or not (folder / "channeldata.json").exists():
        from twofold.index.folder_pages import write_channel

        changed = {name for own in names.values() for name in own}
        written += write_channel(folder, cache, changed, sorted({"noarch", *every}))
    return written


def _has_pages(place: Path) -> bool:
    return all((place / f"{kind}repodata.json").exists() for kind in ("", "current_"))
