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

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from twofold.errors import BadFile, Problem, TwofoldError
from twofold.formats.conda_reader import read_index_facts
from twofold.index import repodata
from twofold.index.cache import Cache, CachedFile
from twofold.index.folder_pages import (
    write_channel,
    write_project_pages,
    write_subdir,
    write_wheel_records,
)
from twofold.index.patches import Patches
from twofold.names import normalize_name
from twofold_build.atomic import remove_leftovers

_SUBDIR = re.compile(r"noarch|(linux|osx|win|freebsd|emscripten|wasi|zos)-[a-z0-9_]+")
_CONDA = (".conda", ".tar.bz2")
_PYPI = (".whl", ".tar.gz")


#: Size, and mtime and ctime in nanoseconds: a copy that keeps the mtime has another ctime.
Identity = tuple[int, int, int]


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
        fresh = [path for path, identity in found.files.items() if known.get(path) != identity]
        gone = [path for path in known if path not in found.files]
        touched = cache.remove([*gone, *(path for path in fresh if path in known)])
        kept, problems = read_files(folder, {path: found.files[path] for path in fresh}, workers)
        problems += [
            Problem("it is not a file", "remove it", path) for path in sorted(found.not_files)
        ]
        cache.put(kept)
        touched |= {(one.folder, one.name) for one in kept}
        written = _write(folder, cache, touched, found.subdirs, patches)
        written += write_wheel_records(folder, wheels or {})
        # A file that could not be read is not cached: every run tries and reports it.
        damaged = {problem.where for problem in problems}
        count = len(found.files.keys() - damaged)
    return IndexResult(folder, count, len(kept), len(gone), tuple(problems), written)


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
    has_projects = bool(cache.names(""))
    if projects or has_projects != (folder / "simple" / "index.html").exists():
        written += write_project_pages(folder, cache, projects)
    every = sorted({*cache.folders(), *subdirs, *names} - {""})
    if not every and has_projects:
        return written  # a folder of wheels is not a channel
    for subdir in sorted({"noarch", *every}):
        changed = names.get(subdir, set())
        if changed or patches or not _has_pages(folder / subdir):
            written += write_subdir(folder, cache, subdir, changed, patches)
    if names or not (folder / "channeldata.json").exists():
        changed = {name for own in names.values() for name in own}
        written += write_channel(folder, cache, changed, sorted({"noarch", *every}))
    return written


def _has_pages(place: Path) -> bool:
    return all((place / f"{kind}repodata.json").exists() for kind in ("", "current_"))


#: Fewer new files than this are read faster than other processes start.
_PARALLEL_FROM = 400


def read_files(
    folder: Path, files: Mapping[str, Identity], workers: int | None
) -> tuple[list[CachedFile], list[Problem]]:
    """Read files (path relative to the folder -> identity); damaged ones become problems."""
    if workers is None:
        workers = (os.cpu_count() or 1) if len(files) >= _PARALLEL_FROM else 0
    parts = _split(sorted(files.items()), workers)
    if len(parts) <= 1:
        results = [_read_part(str(folder), part) for part in parts]
    else:
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        with ProcessPoolExecutor(len(parts), get_context("spawn")) as pool:
            results = list(pool.map(_read_part, [str(folder)] * len(parts), parts))
    return (
        [kept for part, _ in results for kept in part],
        [problem for _, part in results for problem in part],
    )


def _split(files: list[tuple[str, Identity]], workers: int) -> list[list[tuple[str, Identity]]]:
    if workers <= 1:
        return [files] if files else []
    return [part for number in range(workers) if (part := files[number::workers])]


def _read_part(
    folder: str, files: list[tuple[str, Identity]]
) -> tuple[list[CachedFile], list[Problem]]:
    kept: list[CachedFile] = []
    problems: list[Problem] = []
    for path, identity in files:
        try:
            kept.append(_read_one(Path(folder), path, identity))
        except BadFile as error:
            problems += [Problem(p.message, p.hint, path) for p in error.problems]
        except OSError as error:
            problems.append(Problem(f"it cannot be read: {error.strerror}", where=path))
    return kept, problems


def _read_one(folder: Path, path: str, identity: Identity) -> CachedFile:
    file = folder / path
    if path.endswith((".conda", ".tar.bz2")):
        return _read_conda(file, path, identity)
    return _read_pypi(file, path, identity)


def _read_pypi(file: Path, path: str, identity: Identity) -> CachedFile:
    from datetime import UTC, datetime

    from twofold.artifact import Listing
    from twofold.formats.reader import read_artifact
    from twofold.index import simple

    artifact = read_artifact(file)
    moment = datetime.fromtimestamp(identity[1] / 1e9, UTC)
    entry = simple.make_file_entry(Listing(artifact, "../../" + path, moment))
    if artifact.filename.endswith(".whl"):
        _write_metadata(file, artifact.metadata)
    shown = {"version": artifact.version, "file": entry}
    text = json.dumps(shown, ensure_ascii=False)
    return CachedFile(path, *identity, "", normalize_name(artifact.name), text)


def _write_metadata(wheel: Path, metadata: bytes) -> None:
    """METADATA beside the wheel (PEP 658)."""
    from twofold_build.atomic import write_if_changed

    write_if_changed(wheel.with_name(f"{wheel.name}.metadata"), metadata)


def _read_conda(file: Path, path: str, identity: Identity) -> CachedFile:
    package = read_index_facts(file)
    subdir = path.partition("/")[0]
    if package.subdir != subdir:
        raise BadFile(
            f"the package is for {package.subdir} but is in {subdir}/",
            f"move it to {package.subdir}/",
        )
    record = repodata.make_record_from_index(package.index, subdir, package.hashes)
    return CachedFile(
        path,
        *identity,
        subdir,
        package.index["name"],
        repodata.serialize(record).decode(),
        package.about.decode("utf-8", "replace"),
        package.run_exports.decode("utf-8", "replace"),
    )
