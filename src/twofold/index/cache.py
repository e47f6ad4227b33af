"""What an indexed folder remembers of its files, so that only new ones are opened.

One SQLite file, `.twofold-index.sqlite`, in the folder. A file is known again by its path, size and
mtime in nanoseconds; one that changed is read again, one that went is forgotten. What the pages
show of a file is kept as the JSON text that goes into them, so that a page of 10,000 records is
put together without parsing one of them. The cache may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

NAME = ".twofold-index.sqlite"
#: Raised whenever what is kept changes its form; another number empties the cache.
_FORM = 2
_TABLES = """
DROP TABLE IF EXISTS files; DROP TABLE IF EXISTS shards; DROP TABLE IF EXISTS packages;
CREATE TABLE files (path TEXT PRIMARY KEY, size INT, mtime_ns INT, folder TEXT, name TEXT,
    shown TEXT, about TEXT, exports TEXT);
CREATE INDEX files_by_name ON files (name, folder);
CREATE TABLE shards (folder TEXT, name TEXT, sha256 BLOB, PRIMARY KEY (folder, name));
CREATE TABLE packages (name TEXT PRIMARY KEY, shown TEXT);
"""


class Kept(NamedTuple):
    """One file as it was read.

    `path` is relative to the folder with `/`. `folder` is the subdir of a conda package, '' of a
    wheel or an sdist. `name` is the conda name, or the normalised name on PyPI. `shown` is the JSON
    of its record in repodata, or of its entry in a project's page. `about` and `exports` are JSON
    of info/about.json and info/run_exports.json, '' where there is none.
    """

    path: str
    size: int
    mtime_ns: int
    folder: str
    name: str
    shown: str
    about: str = ""
    exports: str = ""


class Cache:
    """Use as a context manager: what was put is kept only when all went well."""

    def __init__(self, folder: Path) -> None:
        self._database = sqlite3.connect(folder / NAME)
        self._database.execute("PRAGMA synchronous = OFF")  # a lost cache is only read again
        (form,) = self._database.execute("PRAGMA user_version").fetchone()
        if form != _FORM:
            self._database.executescript(_TABLES)
            self._database.execute(f"PRAGMA user_version = {_FORM}")

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._database.commit()
        self._database.close()

    def identities(self) -> dict[str, tuple[int, int]]:
        """Path -> size and mtime of every file that is kept."""
        rows = self._database.execute("SELECT path, size, mtime_ns FROM files")
        return {path: (size, mtime) for path, size, mtime in rows}

    def put(self, kept: Iterable[Kept]) -> None:
        self._database.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?)", kept
        )

    def forget(self, paths: Iterable[str]) -> set[tuple[str, str]]:
        """Drop files; returns folder and name of each."""
        gone = set()
        for path in paths:
            query = "DELETE FROM files WHERE path = ? RETURNING folder, name"
            gone |= set(self._database.execute(query, (path,)).fetchall())
        return gone

    def folders(self) -> list[str]:
        rows = self._database.execute("SELECT DISTINCT folder FROM files ORDER BY folder")
        return [folder for (folder,) in rows]

    def names(self, folder: str) -> list[str]:
        query = "SELECT DISTINCT name FROM files WHERE folder = ? ORDER BY name"
        return [name for (name,) in self._database.execute(query, (folder,))]

    def shown(self, folder: str) -> Iterator[tuple[str, str]]:
        """Path and JSON of each file of a folder, in order of the paths."""
        query = "SELECT path, shown FROM files WHERE folder = ? ORDER BY path"
        return self._database.execute(query, (folder,))

    def exports(self, folder: str) -> Iterator[tuple[str, str]]:
        """Path and JSON of run_exports of the files that have any."""
        query = "SELECT path, exports FROM files WHERE folder = ? AND exports != '' ORDER BY path"
        return self._database.execute(query, (folder,))

    def of_name(self, folder: str, name: str) -> list[tuple[str, str]]:
        """Path and JSON of each file of one name in one folder."""
        query = "SELECT path, shown FROM files WHERE folder = ? AND name = ? ORDER BY path"
        return self._database.execute(query, (folder, name)).fetchall()

    def conda_files(self, name: str) -> list[tuple[str, str, str, str]]:
        """Folder, path, record and about of a conda package's files in all subdirs."""
        query = (
            "SELECT folder, path, shown, about FROM files WHERE folder != '' AND name = ?"
            " ORDER BY path"
        )
        return self._database.execute(query, (name,)).fetchall()

    def set_shard(self, folder: str, name: str, sha256: bytes | None) -> None:
        if sha256 is None:
            gone = "DELETE FROM shards WHERE folder = ? AND name = ?"
            self._database.execute(gone, (folder, name))
        else:
            put = "INSERT OR REPLACE INTO shards VALUES (?, ?, ?)"
            self._database.execute(put, (folder, name, sha256))

    def shards(self, folder: str) -> dict[str, bytes]:
        query = "SELECT name, sha256 FROM shards WHERE folder = ? ORDER BY name"
        return dict(self._database.execute(query, (folder,)).fetchall())

    def set_package(self, name: str, shown: str) -> None:
        """Keep a package's entry in channeldata; '' forgets it."""
        if shown:
            self._database.execute("INSERT OR REPLACE INTO packages VALUES (?, ?)", (name, shown))
        else:
            self._database.execute("DELETE FROM packages WHERE name = ?", (name,))

    def packages(self) -> Iterator[tuple[str, str]]:
        return self._database.execute("SELECT name, shown FROM packages ORDER BY name")
