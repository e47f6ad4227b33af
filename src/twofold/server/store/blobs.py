"""File contents by SHA-256, in local files or, through obstore, in S3.

The name of an object is its hash: writing it twice is harmless, a reader never sees a part of an
object, and corruption can be detected.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from urllib.request import url2pathname

from twofold.errors import Refused, StoreUnreachable, TwofoldError
from twofold.extras import require_extra
from twofold.shared_files import open_shared

log = logging.getLogger("twofold.server")

#: For an unreachable object store: an early 503 is better for clients than obstore's default of
#: waiting for minutes.
_RETRY_CONFIG: Any = {"max_retries": 3, "retry_timeout": timedelta(seconds=10)}

#: How long a signed address is valid: a client follows a redirect at once.
SIGNED_FOR = timedelta(minutes=5)

#: The most files remembered as intact; then all are compared again.
MAX_INTACT = 100_000

#: Size of one read from an object (bytes).
CHUNK = 1 << 18


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """An object in a listing of the store."""

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
        self._store: Any = None  # a bucket's, and the library that it goes through
        self._obstore: Any = None
        self._intact: dict[str, tuple[int, int]] = {}  # sha256 -> (mtime in ns, size) when compared
        parts = urlsplit(url)
        if parts.scheme == "s3":
            self._store, self._obstore = _open_bucket(url)
        elif parts.scheme in ("", "file") or len(parts.scheme) == 1:
            local = url2pathname(parts.path) if parts.scheme == "file" else url
            self.folder = Path(local).resolve()
            self.folder.mkdir(parents=True, exist_ok=True)
        else:
            raise TwofoldError(
                f"'{url}' is not a valid object store",
                "use a folder's path or s3://bucket/prefix?endpoint=...",
            )

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes durably: they survive a kill and a power cut."""
        if self.folder is not None:
            self._put_local(sha256, path)
            return
        with _ErrorTranslator("write"):
            self._obstore.put(self._store, _key(sha256), path)

    def _put_local(self, sha256: str, path: Path) -> None:
        assert self.folder is not None
        target = self.folder / _key(sha256)
        try:
            if target.exists() and self.compute_hash(sha256) == sha256:
                os.utime(target)  # garbage collection must see that it is in use again
                return
        except FileNotFoundError:
            pass  # garbage collection deleted it meanwhile: it is written again
        self._make_folder(target.parent)
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

    def _make_folder(self, folder: Path) -> None:
        """Make a folder and those above it, durably."""
        if folder.is_dir():
            return
        self._make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        _sync_folder(folder.parent)

    def read(self, sha256: str) -> bytes:
        """Return all bytes. Raises FileNotFoundError if the object is missing."""
        if self.folder is not None:
            # Not by pathlib and unbuffered: this is the hot path of every small file.
            with open(f"{self.folder}/{_key(sha256)}", "rb", buffering=0) as file:  # noqa: PTH123
                found = os.fstat(file.fileno())
                body = file.read()
                if self._intact.get(sha256) != (found.st_mtime_ns, found.st_size):
                    self._check(sha256, hashlib.sha256(body).hexdigest(), found)
                return body
        with _ErrorTranslator("read"):
            body = bytes(self._obstore.get(self._store, _key(sha256)).bytes())
        self._check(sha256, hashlib.sha256(body).hexdigest())
        return body

    async def read_soon(self, sha256: str) -> bytes:
        """Return all bytes as `read` does, without a thread; for small objects."""
        if self.folder is not None:
            return self.read(sha256)
        with _ErrorTranslator("read"):
            response = await self._obstore.get_async(self._store, _key(sha256))
            body = bytes(await response.bytes_async())
        self._check(sha256, hashlib.sha256(body).hexdigest())
        return body

    def sign(self, sha256: str) -> str | None:
        """Return an address at which anybody can get an object for a while; None if there is none.

        Local files have none.
        """
        if self.folder is not None:
            return None
        with _ErrorTranslator("sign"):
            return str(self._obstore.sign(self._store, "GET", _key(sha256), SIGNED_FOR))

    def check_intact(self, sha256: str) -> None:
        """Check the bytes of a file that is about to be read in pieces. Raises Refused (500).

        Local files only, each once for as long as it is not written; S3 has checksums of its own.
        """
        if self.folder is None:
            return
        found = (self.folder / _key(sha256)).stat()
        if self._intact.get(sha256) != (found.st_mtime_ns, found.st_size):
            self._check(sha256, self.compute_hash(sha256), found)

    def heal(self, sha256: str, path: Path) -> None:
        """Store the bytes again of an object that is missing, or damaged in a local file."""
        try:
            self.size(sha256)
            self.check_intact(sha256)
        except (FileNotFoundError, Refused):
            self.put(sha256, path)

    def _check(self, sha256: str, actual: str, found: os.stat_result | None = None) -> None:
        if actual != sha256:
            log.error(json.dumps({"failed": "reading", "damaged": sha256, "is": actual}))
            raise Refused(
                "damaged-file",
                "The stored bytes of this file are damaged, so they are not sent",
                "ask the operator to run 'twofold admin verify', or upload the file again",
                500,
            )
        if len(self._intact) >= MAX_INTACT:
            self._intact.clear()
        if found is not None:
            self._intact[sha256] = (found.st_mtime_ns, found.st_size)

    def read_chunks(self, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from `start` to `end` (exclusive) in chunks."""
        if self.folder is not None:
            with os.fdopen(open_shared(self.folder / _key(sha256), os.O_RDONLY), "rb") as file:
                file.seek(start)
                while start < end and (block := file.read(min(CHUNK, end - start))):
                    start += len(block)
                    yield block
            return
        while start < end:
            with _ErrorTranslator("read"):
                stop = min(start + 4 * CHUNK, end)
                yield bytes(
                    self._obstore.get_range(self._store, _key(sha256), start=start, end=stop)
                )
            start = stop

    def link(self, sha256: str, path: Path) -> None:
        """Make an object readable at a path: by a link to a local object, or as a copy."""
        if self.folder is not None:
            with suppress(OSError):  # Windows allows links to some users only
                path.symlink_to(self.folder / _key(sha256))
                return
        self.fetch(sha256, path)

    def fetch(self, sha256: str, target: Path) -> None:
        """Copy an object to a local file."""
        with target.open("wb") as file:
            for block in self.read_chunks(sha256, 0, self.size(sha256)):
                file.write(block)

    def size(self, sha256: str) -> int:
        """Return the size in bytes. Raises FileNotFoundError if the object is missing."""
        if self.folder is not None:
            return (self.folder / _key(sha256)).stat().st_size
        with _ErrorTranslator("read"):
            return int(self._obstore.head(self._store, _key(sha256))["size"])

    def compute_hash(self, sha256: str) -> str:
        """Return the SHA-256 of the stored bytes; it differs from the name if they are corrupt."""
        digest = hashlib.sha256()
        for block in self.read_chunks(sha256, 0, self.size(sha256)):
            digest.update(block)
        return digest.hexdigest()

    def delete(self, sha256: str) -> None:
        """Delete an object, if it exists."""
        if self.folder is not None:
            (self.folder / _key(sha256)).unlink(missing_ok=True)
            return
        with _ErrorTranslator("delete"):
            self._obstore.delete(self._store, _key(sha256))

    def list_all(self) -> Iterator[StoredBlob]:
        """Yield every object, in no order."""
        if self.folder is not None:
            yield from _list_files(self.folder / "blobs")
            return
        with _ErrorTranslator("list"):
            for batch in self._obstore.list(self._store, prefix="blobs"):
                for item in batch:
                    name = str(item["path"]).rpartition("/")[2]
                    if len(name) == 64:
                        yield StoredBlob(name, int(item["size"]), item["last_modified"])

    def list_leftovers(self, before: datetime) -> list[Path]:
        """List temporary files of killed writers, last written before a time."""
        if self.folder is None:
            return []  # S3 lists only complete objects
        return [
            part
            for part in self.folder.rglob(".*.part")
            if datetime.fromtimestamp(part.stat().st_mtime, UTC) < before
        ]

    def is_reachable(self) -> bool:
        """Return whether the store is reachable now."""
        try:
            self.check_reachable()
        except (StoreUnreachable, OSError):
            return False
        return True

    def check_reachable(self) -> None:
        """Check that the store can be listed now. Raises StoreUnreachable or OSError."""
        if self.folder is not None:
            if not self.folder.is_dir():
                raise FileNotFoundError(f"{self.folder}: no such folder")
            return
        with _ErrorTranslator("list"):
            self._obstore.list_with_delimiter(self._store, prefix="blobs")


class _ErrorTranslator:
    """Context manager that translates obstore's errors into twofold's."""

    def __init__(self, verb: str) -> None:
        self.verb = verb

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        from obstore.exceptions import BaseError, NotFoundError

        if isinstance(error, (NotFoundError, FileNotFoundError)):
            raise FileNotFoundError(str(error).splitlines()[0]) from error
        if isinstance(error, BaseError):
            raise StoreUnreachable(
                f"the object store failed to {self.verb}: {str(error).splitlines()[0][:200]}",
                "try again; see the server's --objects",
            ) from error


def _key(sha256: str) -> str:
    return f"blobs/{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _list_files(folder: Path) -> Iterator[StoredBlob]:
    """Yield the objects in a folder and those below; what is deleted meanwhile is left out."""
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _list_files(Path(entry.path))
        elif len(entry.name) == 64:
            try:
                found = entry.stat()
            except FileNotFoundError:
                continue
            written = datetime.fromtimestamp(found.st_mtime, UTC)
            yield StoredBlob(entry.name, found.st_size, written)


def _open_bucket(url: str) -> tuple[Any, Any]:
    """Return obstore's store of a bucket, and obstore. Raises TwofoldError."""
    require_extra("s3")
    import obstore
    from obstore.store import S3Store

    parts = urlsplit(url)
    if not parts.netloc:
        raise TwofoldError(f"'{url}' has no bucket name", "use s3://bucket/prefix?endpoint=...")
    options: dict[str, Any] = dict(parse_qsl(parts.query))
    endpoint = options.pop("endpoint", None)
    if endpoint:
        options["endpoint"] = endpoint
        options["virtual_hosted_style_request"] = False
        options["client_options"] = {"allow_http": endpoint.startswith("http://")}
    prefix = parts.path.strip("/") or None
    return S3Store(parts.netloc, prefix=prefix, retry_config=_RETRY_CONFIG, **options), obstore


def _sync_folder(folder: Path) -> None:
    """Make a rename durable. Windows has no such call and does not need it."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
