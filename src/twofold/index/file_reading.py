"""Reads the new packages of a folder for its index, by several processes if they are many.

Apart from `twofold.index.folder`: an indexing that finds nothing new opens no package.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from twofold.errors import BadFile, Problem
from twofold.index.cache import CachedFile, Identity
from twofold.names import normalize_name

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
    from twofold.formats.conda_reader import read_index_facts
    from twofold.index import repodata

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
