"""File contents by SHA-256, compared with it whenever they are read.

The name of an object is its hash: writing it twice is harmless, a reader never sees a part of an
object, and damaged bytes are never sent as the right ones.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from twofold.errors import Refused, StoreUnreachable, TwofoldError
from twofold.server.store.blobs.backend import (
    BlobBackend,
    BlobReader,
    BlobVersion,
    StoredBlob,
    make_key,
)
from twofold.server.store.blobs.bucket import Bucket
from twofold.server.store.blobs.folder import BlobFolder

log = logging.getLogger("twofold.server")

#: The most files remembered as compared; then all are compared again.
MAX_COMPARED = 100_000

#: From this size (bytes) a file is written to the disk before it is known to be kept.
FLUSHED_EARLY = 8 << 20

#: Size of one read from an object (bytes). Each is a request to S3: a reader who takes an hour for
#: a large file holds no connection to the bucket.
PART = 1 << 20


def _folder_of(url: str, parts: SplitResult) -> Path:
    if parts.scheme != "file":
        return Path(url)
    from urllib.request import url2pathname  # takes http.client and email along

    return Path(url2pathname(parts.path))


class Blobs:
    """Objects under `blobs/ab/cd/<sha256>`.

    `url` is a folder's path, `file:///folder`, or
    `s3://bucket/prefix?endpoint=http://host:port&region=...` (credentials from the environment).
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.folder: Path | None = None  # of local files
        self._bucket: Bucket | None = None
        #: The versions whose bytes were compared with their hash, by that hash.
        self._intact: dict[str, BlobVersion] = {}
        self._damaged: dict[str, BlobVersion] = {}
        parts = urlsplit(url)
        self._backend: BlobBackend
        if parts.scheme == "s3":
            self._backend = self._bucket = Bucket(url)
        elif parts.scheme in ("", "file") or len(parts.scheme) == 1:
            self._backend = local_files = BlobFolder(_folder_of(url, parts))
            self.folder = local_files.folder
        else:
            raise TwofoldError(
                f"'{url}' is not a valid object store",
                "use a folder's path or s3://bucket/prefix?endpoint=...",
            )

    def put(self, sha256: str, path: Path) -> None:
        """Store a file's bytes durably: they survive a kill and a power cut."""
        self._backend.put(sha256, path)

    @contextmanager
    def flushing(self, path: Path) -> Iterator[None]:
        """Let a large file that `take` is called with be written to the disk meanwhile."""
        if path.stat().st_size < FLUSHED_EARLY:
            yield
            return
        with ThreadPoolExecutor(1) as thread:
            flushed = thread.submit(self._backend.flush, path)
            yield
        flushed.result()

    def take(self, sha256: str, path: Path) -> None:
        """Store a file durably that nobody writes any more; where possible without copying it."""
        self._backend.take(sha256, path)

    def read(self, sha256: str) -> bytes:
        """Return all bytes. Raises FileNotFoundError if missing, Refused (500) if damaged."""
        return self._compare_body(sha256, *self._backend.read(sha256))

    async def read_soon(self, sha256: str) -> bytes:
        """Return all bytes as `read` does, without a thread; for small objects."""
        return self._compare_body(sha256, *await self._backend.read_soon(sha256))

    def _compare_body(self, sha256: str, body: bytes, version: BlobVersion) -> bytes:
        """Return the bytes when they are right. Those of a bucket are always compared."""
        if self._bucket is not None or self._intact.get(sha256) != version:
            self._compare(sha256, hashlib.sha256(body).hexdigest(), version)
        return body

    def sign(self, sha256: str) -> str | None:
        """Return an address at which anybody can get an object for a while; None if there is none.

        Local files have none.
        """
        return self._bucket.sign(sha256) if self._bucket is not None else None

    def check_intact(self, sha256: str) -> None:
        """Compare the bytes with the hash, once for each version. Raises Refused (500)."""
        version = self._backend.find_version(sha256)
        if not self._is_known_intact(sha256, version):
            self._compare(sha256, self.compute_hash(sha256), version)

    def heal(self, sha256: str, path: Path) -> None:
        """Store the bytes again of an object that is missing or damaged."""
        if not self.is_intact(sha256):
            self._damaged.pop(sha256, None)
            self.put(sha256, path)

    def is_intact(self, sha256: str) -> bool:
        """Whether an object is there, with the bytes of its name."""
        try:
            self.check_intact(sha256)
        except (FileNotFoundError, Refused):
            return False
        return True

    def _is_known_intact(self, sha256: str, version: BlobVersion) -> bool:
        """Whether this version was compared. Raises Refused (500) for one known as damaged."""
        if self._damaged.get(sha256) == version:
            raise _refuse_damaged()
        return self._intact.get(sha256) == version

    def _compare(self, sha256: str, actual: str, version: BlobVersion) -> None:
        """Compare the hash of an object's bytes with its name, and remember the result."""
        is_intact = actual == sha256
        known = self._intact if is_intact else self._damaged
        if len(known) >= MAX_COMPARED:
            known.clear()
        known[sha256] = version
        if not is_intact:
            log.error(json.dumps({"failed": "reading", "damaged": sha256, "is": actual}))
            raise _refuse_damaged()

    def stream(self, sha256: str, size: int, start: int, end: int) -> Iterator[bytes]:
        """Return the bytes from `start` to `end` (exclusive) of a file of `size` bytes, in parts.

        Raises Refused (500) at once for an object of another size, or known as damaged. A whole
        object of a bucket is compared on its way: its last part comes only if all bytes were
        right. Everything else is compared before, and again when it changes meanwhile.
        """
        reader = self._backend.open(sha256)
        try:
            return self._begin(sha256, reader, size, start, end)
        except BaseException:
            reader.close()
            raise

    def _begin(
        self, sha256: str, reader: BlobReader, size: int, start: int, end: int
    ) -> Iterator[bytes]:
        stop = min(start + PART, end)
        try:
            first, version = reader.read_part(start, stop)
        except StoreUnreachable:
            version = self._backend.find_version(sha256)
            if version.size > start:
                raise
            first = b""  # the object ends before the part: S3 calls that an error
        if version.size != size:
            self._compare(sha256, f"an object of {version.size} bytes", version)
        is_intact = self._is_known_intact(sha256, version)
        if self._bucket is not None and (start, end) == (0, size):
            return self._compare_on(sha256, reader, first, end, version)
        if not is_intact:
            self._compare(sha256, self.compute_hash(sha256), version)
        return self._read_on(sha256, reader, first, range(stop, end), version)

    def _read_on(
        self, sha256: str, reader: BlobReader, first: bytes, rest: range, version: BlobVersion
    ) -> Iterator[bytes]:
        """Yield the first part and those after it, of a version that was compared."""
        with closing(reader):
            yield first
            start, end = rest.start, rest.stop
            while start < end:
                block, found = reader.read_part(start, min(start + PART, end))
                if found != version:
                    self.check_intact(sha256)
                    version = found
                    continue
                start += len(block)
                yield block

    def _compare_on(
        self, sha256: str, reader: BlobReader, held: bytes, end: int, version: BlobVersion
    ) -> Iterator[bytes]:
        """Yield the first part and those after it, the last one when all bytes were compared."""
        with closing(reader):
            digest, start = hashlib.sha256(held), len(held)
            while start < end:
                block, version = reader.read_part(start, min(start + PART, end))
                if not block:
                    break
                yield held
                digest.update(block)
                held, start = block, start + len(block)
            self._compare(sha256, digest.hexdigest(), version)
            yield held

    def _read_all(self, sha256: str) -> Iterator[bytes]:
        """Yield all bytes in parts, whatever they are."""
        at, size = 0, self.size(sha256)
        with closing(self._backend.open(sha256)) as reader:
            while at < size:
                block, _ = reader.read_part(at, min(at + PART, size))
                if not block:
                    return  # it has become shorter
                at += len(block)
                yield block

    def link(self, sha256: str, path: Path) -> None:
        """Make an object readable at a path: by a link to a local object, or as a copy.

        Raises Refused (500) for a damaged object.
        """
        if self.folder is not None:
            self.check_intact(sha256)
            with suppress(OSError):  # Windows allows links to some users only
                path.symlink_to(self.folder / make_key(sha256))
                return
        self.fetch(sha256, path)

    def fetch(self, sha256: str, target: Path) -> None:
        """Copy an object to a local file. Raises Refused (500) for a damaged one."""
        version = self._backend.find_version(sha256)
        digest = hashlib.sha256()
        with target.open("wb") as file:
            for block in self._read_all(sha256):
                digest.update(block)
                file.write(block)
        self._compare(sha256, digest.hexdigest(), version)

    def size(self, sha256: str) -> int:
        """Return the size in bytes. Raises FileNotFoundError if the object is missing."""
        return self._backend.find_version(sha256).size

    def compute_hash(self, sha256: str) -> str:
        """Return the SHA-256 of the stored bytes; it differs from the name if they are corrupt."""
        digest = hashlib.sha256()
        for block in self._read_all(sha256):
            digest.update(block)
        return digest.hexdigest()

    def delete(self, sha256: str) -> None:
        """Delete an object, if it exists."""
        self._backend.delete(sha256)

    def list_all(self) -> Iterator[StoredBlob]:
        """Yield every object, in no order."""
        return self._backend.list_all()

    def list_leftovers(self, before: datetime) -> list[Path]:
        """List temporary files of killed writers, last written before a time."""
        return self._backend.list_leftovers(before)

    def is_reachable(self) -> bool:
        """Return whether the store is reachable now."""
        try:
            self.check_reachable()
        except (StoreUnreachable, OSError):
            return False
        return True

    def check_reachable(self) -> None:
        """Check that the store can be listed now. Raises StoreUnreachable or OSError."""
        self._backend.check_reachable()


def _refuse_damaged() -> Refused:
    return Refused(
        "damaged-file",
        "The stored bytes of this file are damaged, so they are not sent",
        "ask the operator to run 'twofold admin verify', or upload the file again",
        500,
    )
