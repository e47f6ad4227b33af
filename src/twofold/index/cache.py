"""What an indexed folder remembers of its files, so that only new ones are opened.

One SQLite file, `.twofold-index.sqlite`, in the folder. A file is known again by its path, size,
mtime and ctime in nanoseconds (`cp -p` and `rsync -a` keep the mtime); one that changed is read
again, one that went is forgotten. What the pages
show of a file is kept as the JSON text that goes into them, so that a page of 10,000 records is
put together without parsing one of them. The cache may be deleted at any time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from twofold.errors import TwofoldError

NAME = ".twofold-index.sqlite"
#: Raised whenever what is kept changes its form; another number empties the cache.
_FORMAT = 4
#: How long another indexing of the same folder is waited for (seconds).
_LOCK_TIMEOUT = 900
_TABLES = (
    "DROP TABLE IF EXISTS files",
    "DROP TABLE IF EXISTS shards",
    "DROP TABLE IF EXISTS packages",
    "CREATE TABLE files (path TEXT PRIMARY KEY, size INT, mtime_ns INT, ctime_ns INT, folder TEXT,"
    " name TEXT, shown TEXT, about TEXT, exports TEXT)",
    "CREATE INDEX files_by_name ON files (name, folder)",
    "CREATE INDEX files_with_exports ON files (folder, path) WHERE exports != ''",
    "CREATE TABLE shards (folder TEXT, name TEXT, sha256 BLOB, PRIMARY KEY (folder, name))",
    "CREATE TABLE packages (name TEXT PRIMARY KEY, shown TEXT)",
)


#: Size, and mtime and ctime in nanoseconds: a copy that keeps the mtime has another ctime.
Identity = tuple[int, int, int]


class CachedFile(NamedTuple):
    """One file as it was read.

    `path` is relative to the folder with `/`. `folder` is the subdir of a conda package, '' of a
    wheel or an sdist. `name` is the conda name, or the normalised name on PyPI. `entry` is the JSON
    of its record in repodata, or of its entry in a project's page. `about` and `exports` are JSON
    of info/about.json and info/run_exports.json, '' without one.
    """

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    folder: str
    name: str
    entry: str
    about: str = ""
    run_exports: str = ""

    @property
    def shown(self) -> tuple[str, ...]:
        """What pages are made of."""
        return self[4:]


class Cache:
    """Use as a context manager: what was put is kept only when all went well.

    One transaction from beginning to end, so that of two indexings of a folder the second waits
    for the first. Raises TwofoldError where the folder cannot be written, or another indexing
    does not end.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._database = _open_database(folder / NAME)
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                message, hint = "another process is still indexing the folder", "end it if it hangs"
            else:
                message, hint = (
                    f"the index cannot be written: {error}",
                    "check the folder's permissions",
                )
            raise TwofoldError(message, hint, str(folder)) from error
        except sqlite3.DatabaseError:  # damaged, or no database at all: all of it is read again
            (folder / NAME).unlink()
            self._database = _open_database(folder / NAME)

    def __enter__(self) -> Cache:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._database.execute("COMMIT")
        self._database.close()

    def identities(self) -> dict[str, Identity]:
        """Path -> size, mtime and ctime of every file that is kept."""
        rows = self._database.execute("SELECT path, size, mtime_ns, ctime_ns FROM files")
        return {path: (size, mtime, ctime) for path, size, mtime, ctime in rows}

    def find(self, paths: Iterable[str]) -> Iterator[CachedFile]:
        """What is kept of some files."""
        query = "SELECT * FROM files WHERE path = ?"
        for path in paths:
            yield from map(CachedFile._make, self._database.execute(query, (path,)))

    def put(self, kept: Iterable[CachedFile]) -> None:
        """Save files, over what the cache had of them."""
        self._database.executemany(
            "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", kept
        )

    def remove(self, paths: Iterable[str]) -> set[tuple[str, str]]:
        """Drop files; returns folder and name of each."""
        gone = set()
        for path in paths:
            query = "DELETE FROM files WHERE path = ? RETURNING folder, name"
            gone |= set(self._database.execute(query, (path,)).fetchall())
        return gone

    def folders(self) -> list[str]:
        """The subdirs that have files, '' for wheels and sdists."""
        rows = self._database.execute("SELECT DISTINCT folder FROM files ORDER BY folder")
        return [folder for (folder,) in rows]

    def has_files(self, folder: str) -> bool:
        """Whether a subdir has files, or '' wheels and sdists."""
        query = "SELECT EXISTS (SELECT 1 FROM files WHERE folder = ?)"
        return bool(self._database.execute(query, (folder,)).fetchone()[0])

    def names(self, folder: str) -> list[str]:
        """The names of the packages in a folder, sorted."""
        query = "SELECT DISTINCT name FROM files WHERE folder = ? ORDER BY name"
        return [name for (name,) in self._database.execute(query, (folder,))]

    def list_entries(self, folder: str) -> Iterator[tuple[str, str]]:
        """Path and JSON of each file of a folder, in order of the paths."""
        query = "SELECT path, shown FROM files WHERE folder = ? ORDER BY path"
        return self._database.execute(query, (folder,))

    def list_run_exports(self, folder: str) -> Iterator[tuple[str, str]]:
        """Path and JSON of run_exports of the files that have any."""
        query = "SELECT path, exports FROM files WHERE folder = ? AND exports != '' ORDER BY path"
        return self._database.execute(query, (folder,))

    def entries_for(self, folder: str, name: str) -> list[tuple[str, str]]:
        """Path and JSON of each file of one name in one folder."""
        query = "SELECT path, shown FROM files WHERE folder = ? AND name = ? ORDER BY path"
        return self._database.execute(query, (folder, name)).fetchall()

    def find_name(self, path: str) -> str:
        """The name of the package in a file, '' for one that is not there."""
        row = self._database.execute("SELECT name FROM files WHERE path = ?", (path,)).fetchone()
        return str(row[0]) if row else ""

    def conda_files(self, name: str) -> list[tuple[str, str, str, str]]:
        """Folder, path, record and about of a conda package's files in all subdirs."""
        query = (
            "SELECT folder, path, shown, about FROM files WHERE folder != '' AND name = ?"
            " ORDER BY path"
        )
        return self._database.execute(query, (name,)).fetchall()

    def set_shard(self, folder: str, name: str, sha256: bytes | None) -> None:
        """Save the hash of a package's shard; None removes it."""
        if sha256 is None:
            gone = "DELETE FROM shards WHERE folder = ? AND name = ?"
            self._database.execute(gone, (folder, name))
        else:
            put = "INSERT OR REPLACE INTO shards VALUES (?, ?, ?)"
            self._database.execute(put, (folder, name, sha256))

    def shards(self, folder: str) -> dict[str, bytes]:
        """Package -> SHA-256 (raw) of its shard, in order of the names."""
        query = "SELECT name, sha256 FROM shards WHERE folder = ? ORDER BY name"
        return dict(self._database.execute(query, (folder,)).fetchall())

    def set_package(self, name: str, shown: str) -> None:
        """Keep a package's entry in channeldata; '' forgets it."""
        if shown:
            self._database.execute("INSERT OR REPLACE INTO packages VALUES (?, ?)", (name, shown))
        else:
            self._database.execute("DELETE FROM packages WHERE name = ?", (name,))

    def packages(self) -> Iterator[tuple[str, str]]:
        """Package -> JSON of its entry in channeldata, in order of the names."""
        return self._database.execute("SELECT name, shown FROM packages ORDER BY name")


def _open_database(path: Path) -> sqlite3.Connection:
    """The database with its tables, in a transaction that no other writer shares."""
    database = sqlite3.connect(path, timeout=_LOCK_TIMEOUT, isolation_level=None)
    try:
        database.execute("PRAGMA synchronous = OFF")  # a lost cache is only read again
        database.execute("BEGIN IMMEDIATE")
        (form,) = database.execute("PRAGMA user_version").fetchone()
        if form != _FORMAT:
            for statement in _TABLES:
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {_FORMAT}")
    except BaseException:
        database.close()
        raise
    return database
