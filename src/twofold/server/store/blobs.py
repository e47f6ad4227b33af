"""The bytes of files by their SHA-256, on local files or S3 through obstore.

The name of an object is its hash, so that writing it twice is harmless, a reader never sees
anything but the whole, and damage can be found.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from twofold.errors import TwofoldError, Unreachable

#: For an object store that is away: a client that is told to try again is better off than one
#: that waits for minutes, which is obstore's default.
_PATIENCE: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}

#: Bytes read at once from an object.
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """One object as a listing of the store shows it."""

    sha256: str
    size: int
    written_at: datetime


class Blobs:
    """Objects under `blobs/ab/cd/<sha256>`.

    `url` is a folder's path, `file:///folder`, or
    `s3://bucket/prefix?endpoint=http://host:port&region=...` (credentials from the environment).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder: Path | None = None
        parts = urlsplit(url)
        if parts.scheme == "s3":
            self._store: Any = _s3(url)
        elif parts.scheme in ("", "file") or len(parts.scheme) == 1:
            local = unquote(parts.path) if parts.scheme == "file" else url
            self.folder = Path(local).resolve()
            self.folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(prefix=self.folder)
        else:
            raise TwofoldError(
                f"'{url}' is no place for objects",
                "use a folder's path or s3://bucket/prefix?endpoint=...",
            )

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes; when this returns they survive a kill and a power cut."""
        if self.folder is not None:
            self._put_local(sha256, path)
            return
        with _told("write"):
            obstore.put(self._store, _key(sha256), path)

    def _put_local(self, sha256: str, path: Path) -> None:
        assert self.folder is not None
        target = self.folder / _key(sha256)
        if target.exists() and target.stat().st_size == path.stat().st_size:
            os.utime(target)  # a sweep must see that it is wanted again
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f".{sha256}.{os.getpid()}.{os.urandom(4).hex()}.part")
        try:
            with path.open("rb") as source, part.open("wb") as copy:
                while block := source.read(CHUNK):
                    copy.write(block)
                copy.flush()
                os.fsync(copy.fileno())
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(target.parent)

    def read(self, sha256: str) -> bytes:
        """All the bytes. Raises FileNotFoundError when there is no such object."""
        if self.folder is not None:
            # Not by pathlib and unbuffered: this is the hot path of every small file.
            with open(f"{self.folder}/{_key(sha256)}", "rb", buffering=0) as file:  # noqa: PTH123
                return file.read()
        with _told("read"):
            return bytes(obstore.get(self._store, _key(sha256)).bytes())

    def read_chunks(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` up to `end` (not included), in pieces."""
        if self.folder is not None:
            with (self.folder / _key(sha256)).open("rb") as file:
                file.seek(start)
                while start < end and (block := file.read(min(CHUNK, end - start))):
                    start += len(block)
                    yield block
            return
        while start < end:
            with _told("read"):
                stop = min(start + 4 * CHUNK, end)
                yield bytes(obstore.get_range(self._store, _key(sha256), start=start, end=stop))
            start = stop

    def fetch(self, sha256: str, target: Path) -> None:
        """Copy an object to a local file."""
        with target.open("wb") as file:
            for block in self.read_chunks(sha256, 0, self.size(sha256)):
                file.write(block)

    def size(self, sha256: str) -> int:
        """In bytes. Raises FileNotFoundError when there is no such object."""
        if self.folder is not None:
            return (self.folder / _key(sha256)).stat().st_size
        with _told("read"):
            return int(obstore.head(self._store, _key(sha256))["size"])

    def compute_hash(self, sha256: str) -> str:
        """What the stored bytes really hash to; differs from the name when they are damaged."""
        digest = hashlib.sha256()
        for block in self.read_chunks(sha256, 0, self.size(sha256)):
            digest.update(block)
        return digest.hexdigest()

    def delete(self, sha256: str) -> None:
        """Remove an object; one that is not there is no error."""
        if self.folder is not None:
            (self.folder / _key(sha256)).unlink(missing_ok=True)
            return
        with _told("delete"):
            obstore.delete(self._store, _key(sha256))

    def list_all(self) -> Iterator[StoredBlob]:
        """Every object, in no order."""
        with _told("list"):
            for batch in obstore.list(self._store, prefix="blobs"):
                for item in batch:
                    name = str(item["path"]).rpartition("/")[2]
                    if len(name) == 64:
                        yield StoredBlob(name, int(item["size"]), item["last_modified"])

    def list_leftovers(self, before: datetime) -> list[Path]:
        """Parts of local objects whose writer was killed, last written before then."""
        if self.folder is None:
            return []  # S3 shows an object only when it is whole
        return [
            part
            for part in self.folder.rglob(".*.part")
            if datetime.fromtimestamp(part.stat().st_mtime, UTC) < before
        ]

    def is_reachable(self) -> bool:
        """Whether the store can be reached now."""
        try:
            if self.folder is not None:
                return self.folder.is_dir()
            obstore.list_with_delimiter(self._store, prefix="blobs")
        except (BaseError, OSError):
            return False
        return True


class _told:
    """Turns the object store's troubles into the tree of errors."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, (NotFoundError, FileNotFoundError)):
            raise FileNotFoundError(str(error).splitlines()[0]) from error
        if isinstance(error, BaseError):
            raise Unreachable(
                f"the object store could not {self.verb}: {str(error).splitlines()[0][:200]}",
                "try again; see the server's --objects",
            ) from error


def _key(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _s3(url: str) -> S3Store:
    parts = urlsplit(url)
    if not parts.netloc:
        raise TwofoldError(f"'{url}' names no bucket", "use s3://bucket/prefix?endpoint=...")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    endpoint = options.pop("endpoint", None)
    if endpoint:
        options["endpoint"] = endpoint
        options["virtual_hosted_style_request"] = False
        options["client_options"] = {"allow_http": endpoint.startswith("http://")}
    prefix = parts.path.strip("/") or None
    return S3Store(parts.netloc, prefix=prefix, retry_config=_PATIENCE, **options)


def _sync_folder(folder: Path) -> None:
    """Make a rename last. Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
