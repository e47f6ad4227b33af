"""Brings the files of a source into a channel: fetched, verified, published as an upload is."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

from twofold.errors import Problem, TwofoldError
from twofold.fetching.client import fetch_file
from twofold.server.context import Registry, require_channel
from twofold.server.importing.sources import Source, SourceFile
from twofold.server.model import Action, Channel, StoredFile
from twofold.server.registry import lifecycle
from twofold.server.registry.administration import OPERATOR
from twofold.server.registry.publish import Upload, publish
from twofold.server.store import files

#: The largest file that is fetched (bytes), as `twofold serve` takes by default.
MAX_FILE = 4 << 30


@dataclass
class ImportResult:
    """Files by what became of them; `planned` with `--dry-run` alone."""

    imported: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    planned: list[str] = field(default_factory=list)
    failed: list[Problem] = field(default_factory=list)


class _HashingFile:
    """A file on disk that is hashed while it is written."""

    def __init__(self, file: BinaryIO, algorithms: Iterable[str]) -> None:
        self._file = file
        self.digests = {
            name: hashlib.new(name, usedforsecurity=False) for name in {"sha256", *algorithms}
        }

    def begin(self, total: int | None) -> None:
        """The file begins."""

    def write(self, block: bytes) -> None:
        """Write and hash the next bytes."""
        self._file.write(block)
        for digest in self.digests.values():
            digest.update(block)


def import_files(
    registry: Registry,
    channel: str,
    source: Source,
    wanted: list[SourceFile],
    report: Callable[[str], None] | None,
) -> ImportResult:
    """Import the files that the channel does not have; with `report` None nothing is fetched.

    Each is published by itself: what was imported before an interruption is present afterwards. A
    file that cannot be imported stops no other. Raises Refused for a channel that does not exist.
    """
    result = ImportResult()
    with registry.database.read() as db:
        found = require_channel(db, OPERATOR, channel, Action.UPLOAD)
    registry.spool.mkdir(parents=True, exist_ok=True)
    for count, file in enumerate(wanted, 1):
        label = f"{file.subdir}/{file.filename}" if file.subdir else file.filename
        try:
            if _is_present(registry, found, source, file):
                result.present.append(label)
                continue
            if report is None:
                result.planned.append(label)
                continue
            _import(registry, channel, source, file)
            result.imported.append(label)
            report(f"imported {count} of {len(wanted)}: {label}")
        except TwofoldError as error:
            problem = error.problems[0]
            result.failed.append(Problem(problem.message, problem.hint, label))
            if report is not None:
                report(f"failed {count} of {len(wanted)}: {label}: {problem.message}")
    return result


def _is_present(registry: Registry, channel: Channel, source: Source, file: SourceFile) -> bool:
    """Whether the channel has the file already. Raises TwofoldError for other bytes."""
    with registry.database.read() as db:
        taken = files.find_file(db, channel.id, file.subdir, file.filename)
    if taken is not None and source.endpoint is None and not file.hashes:
        with Path(file.place).open("rb") as stream:  # a folder without a list of hashes
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        file = replace(file, hashes={"sha256": digest})
    if taken is None or not _is_comparable(taken, file):
        return False
    if taken.deleted_at is not None:
        raise TwofoldError(
            "it was deleted from the channel", "'twofold admin undelete' restores it"
        )
    if not _has_hash(taken, file):
        raise TwofoldError("the channel has a file of this name with other bytes")
    return True


def _is_comparable(taken: StoredFile, file: SourceFile) -> bool:
    known = {"sha256", "md5"} & set(file.hashes)
    return bool(known or file.sha256_start) and taken.made_from is None


def _has_hash(taken: StoredFile, file: SourceFile) -> bool:
    if "sha256" in file.hashes:
        return taken.sha256 == file.hashes["sha256"]
    if "md5" in file.hashes:
        return taken.md5 == file.hashes["md5"]
    return taken.sha256.startswith(file.sha256_start)


def _import(registry: Registry, channel: str, source: Source, file: SourceFile) -> None:
    with TemporaryDirectory(prefix="import-", dir=registry.spool) as folder:
        path = Path(folder) / "file"
        with path.open("wb") as stream:
            sink = _HashingFile(stream, file.hashes)
            _fetch(source, file, sink)
        actual = {name: digest.hexdigest() for name, digest in sink.digests.items()}
        for name, expected in file.hashes.items():
            if actual[name] != expected:
                raise TwofoldError(f"its {name} is {actual[name]}, but the source lists {expected}")
        if not actual["sha256"].startswith(file.sha256_start):
            raise TwofoldError(f"its SHA-256 is not that of its folder, {file.sha256_start}")
        upload = Upload(path, file.filename, is_imported=True)
        done = publish(registry, OPERATOR, channel, upload)
    if file.yanked is not None:
        name, version = done.file.name, done.file.version
        lifecycle.yank(registry, OPERATOR, channel, name, version, file.yanked)


def _fetch(source: Source, file: SourceFile, sink: _HashingFile) -> None:
    if source.endpoint is not None:
        fetch_file(source.endpoint, file.place, sink, MAX_FILE)
        return
    with Path(file.place).open("rb") as stream:
        shutil.copyfileobj(stream, sink, 1 << 20)
