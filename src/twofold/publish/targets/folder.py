"""A plain folder as static index and channel: files are copied, then the folder is indexed.

Any web server, or file://, serves it to pip and conda; `twofold index` writes the same pages.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.artifact import Kind
from twofold.errors import BadFile, Problem
from twofold.file_hashes import compute_file_hashes
from twofold.names import normalize_name
from twofold.publish.files import ReleaseFile
from twofold.publish.targets.protocol import (
    ALL_KINDS,
    NO_KINDS,
    AlreadyPublishedError,
    RemoteState,
    UploadRule,
)
from twofold.publish.targets.release_managers import (
    PublishedFile,
    PublishedProject,
    ReadOnlyManager,
    parse_pypi_file,
    parse_repodata,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress


@dataclass(frozen=True)
class Folder:
    """The folder `settings.url`, created if it does not exist."""

    settings: TargetSettings
    accepts: frozenset[Kind] = ALL_KINDS
    default_kinds: frozenset[Kind] = ALL_KINDS
    rules: tuple[UploadRule, ...] = ()
    is_readable: bool = True
    attestation_kinds: frozenset[Kind] = NO_KINDS

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return "a folder"

    def preflight(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        """Check the token before anything is sent."""
        if self._root.exists() and not self._root.is_dir():
            return Problem(f"{self._root} is a file, not a folder", "choose another folder")
        return None

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look the file up; without its page (after a kill) it counts as absent."""
        seen = self.fetch(file)
        if seen.is_ours(file.artifact) and not self._is_indexed(file):
            return RemoteState("absent")
        return seen

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        from twofold.index.folder import index_folder  # a plan writes no index

        target = self._place(file)
        if not self.fetch(file).is_ours(file.artifact):
            try:
                self._put(file.artifact.path, target)
            except AlreadyPublishedError:
                # Another publication may have put the same file there meanwhile.
                if not self.fetch(file).is_ours(file.artifact):
                    raise
        progress(file.artifact.size)
        index_folder(self._root, workers=0)
        return target.as_uri()

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file back and compute its hash."""
        place = self._place(file)
        if not place.is_file() or not place.stat().st_size:  # empty: reserved by _put
            return RemoteState("absent")
        return RemoteState("present", compute_file_hashes(place)[1], place.as_uri())

    def whoami(self) -> str:
        """Return the account of the credentials."""
        return "no login needed: files are written directly"

    def close(self) -> None:
        """There is no connection to close."""

    @property
    def _root(self) -> Path:
        return Path(self.settings.url)

    def _place(self, file: ReleaseFile) -> Path:
        subdir = file.artifact.subdir if file.artifact.kind.is_conda else ""
        return self._root / subdir / file.name

    def _is_indexed(self, file: ReleaseFile) -> bool:
        """Whether the file's page lists its hash."""
        if file.artifact.kind.is_conda:
            page = self._root / file.artifact.subdir / "repodata.json"
        else:
            page = self._root / "simple" / normalize_name(file.artifact.name) / "index.json"
        return page.is_file() and file.artifact.sha256 in page.read_text("utf-8")

    def _put(self, source: Path, target: Path) -> None:
        """Copy under a temporary name, then link; never over a file created meanwhile."""
        target.parent.mkdir(parents=True, exist_ok=True)
        unfinished = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            shutil.copyfile(source, unfinished)
            try:
                os.link(unfinished, target)
            except FileExistsError:
                _require_leftover(target)
                unfinished.replace(target)
            except OSError:  # a file system without hard links
                _reserve(target)
                unfinished.replace(target)
        finally:
            unfinished.unlink(missing_ok=True)


#: After this time (seconds) an empty file is a leftover, and no publication that is under way.
LEFTOVER = 60


def _reserve(target: Path) -> None:
    """Take a name with an empty file, which only one of several publishers can create."""
    try:
        target.open("xb").close()
    except FileExistsError:
        _require_leftover(target)


def _require_leftover(target: Path) -> None:
    """Accept the empty file of a publication that was killed; raise AlreadyPublishedError else."""
    found = target.stat()
    if found.st_size or time.time() - found.st_mtime < LEFTOVER:
        raise AlreadyPublishedError(f"{target} already exists")


@dataclass
class FolderManager(ReadOnlyManager):
    """A static index and channel in a folder."""

    target: Folder
    verbs = frozenset({"delete"})

    def read(self, project: str) -> PublishedProject:
        """Read the project's page and the repodata of every subdir."""
        root, key = Path(self.target.settings.url), normalize_name(project)
        page = root / "simple" / key / "index.json"
        found: list[PublishedFile] = []
        for file in (page, *sorted(root.glob("*/repodata.json"))):
            try:
                document = json.loads(file.read_text("utf-8")) if file.is_file() else {}
                if file == page:
                    rows = document.get("files", ())
                    found += [parse_pypi_file(str(row["filename"])) for row in rows]
                else:
                    found += parse_repodata(document, file.parent.name, key)
            except (ValueError, AttributeError, KeyError, TypeError):
                hint = f"make the pages again: twofold index {root}"
                raise BadFile("it is not the page of an index", hint, str(file)) from None
        return PublishedProject(tuple(found))

    def delete(self, _project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files, then write the pages again."""
        from twofold.index.folder import index_folder

        root = Path(self.target.settings.url)
        for file in files:
            (root / file.name).unlink(missing_ok=True)
            (root / f"{file.name}.metadata").unlink(missing_ok=True)  # PEP 658
        index_folder(root, workers=0)
