"""Files on their way from an upstream: fetched once, read by any number of clients meanwhile.

One thread of one process fetches a file into the spool; all others that want it read it there as it
grows: other requests of the process, and other processes with the same spool, which follow the file
under its lock. The last bytes are held back until the file has passed the admission checks, so that
no client ends up with a whole file that the registry refuses. A fetch goes on when its clients
leave; when its process ends, another one begins again.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from twofold.errors import TwofoldError
from twofold.file_hashes import FileHasher
from twofold.shared_files import open_shared

try:
    import fcntl
except ImportError:  # Windows has no such locks: each process fetches for itself

    def _try_lock(handle: int) -> bool:
        del handle
        return True

else:

    def _try_lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True


#: Where a read cannot say its place, one thread at a time moves to it.
_moving = threading.Lock()


def _read_at(handle: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(handle, size, offset)
    with _moving:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.read(handle, size)


def _write_at(handle: int, block: bytes, offset: int) -> int:
    if hasattr(os, "pwrite"):
        return os.pwrite(handle, block, offset)
    with _moving:
        os.lseek(handle, offset, os.SEEK_SET)
        return os.write(handle, block)


log = logging.getLogger("twofold.server")

#: Bytes that are held back until the file has been checked.
HELD_BACK = 64 << 10

#: Seconds that the last bytes wait for the conversion and the record, once the file is checked:
#: clients that get them then find the package in conda's pages. Clients time out after 15 s.
SETTLE_SECONDS = 5.0

#: Seconds during which a file whose fetch failed is fetched whole before it is sent.
FAILURE_SECONDS = 60.0

#: Seconds that a fetch waits for its first reader to send the first bytes. A large file from a near
#: server keeps the processors busy, and the reader's threads would wait for one.
FIRST_SECONDS = 0.02

#: Fetches of one process at the same time; further ones wait.
MAX_FETCHES = 16

#: Seconds between two looks at a file that another process fetches.
_POLL_SECONDS = 0.05

_BLOCK = 256 << 10
_RUNNING, _CHECKED, _DONE = b"running", b"checked", b"done"


class Download:
    """A file that is being fetched into `path`; its readers see it grow.

    `sha256` is the hash it must have; `total` its size (bytes), None while it is unknown.
    `failed_before`: its last fetch failed after clients had received a part. They try again, and a
    response that waits for the whole file can say what is wrong.
    """

    def __init__(self, path: Path, sha256: str) -> None:
        self.path = path
        self.sha256 = sha256
        self.total: int | None = None
        self.size = 0
        self.is_finished = self.failed_before = False
        self.error: Exception | None = None
        self.hasher = FileHasher()
        self._has_reader = False
        self._is_begun = threading.Event()  # some reader has the first bytes
        self._checked_at: float | None = None
        self._handle = -1  # of the spooled file: it stays readable when the file is moved
        self._lock_handle = -1
        self._changed = threading.Condition()

    def __del__(self) -> None:
        for handle in (self._handle, self._lock_handle):
            if handle >= 0:
                os.close(handle)

    # The side that fetches

    def begin(self, total: int | None) -> None:
        """Open the file; `total` is the size that the upstream announces."""
        self._open(os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        with self._changed:
            self.total, self.size, self.hasher = total, 0, FileHasher()
        self._write_state(_RUNNING)

    def write(self, block: bytes) -> None:
        """Append a block."""
        _write_at(self._handle, block, self.size)
        with self._changed:
            self.size += len(block)
            self._changed.notify_all()
        if self._has_reader and self.unchecked:
            self._is_begun.wait(FIRST_SECONDS)
            self._is_begun.set()
        self.hasher.update(block)

    def mark_checked(self) -> None:
        """Record that the file passed the checks; its last bytes may be sent soon."""
        with self._changed:
            self._checked_at = time.monotonic()
            self._changed.notify_all()
        self._write_state(_CHECKED)

    def finish(self, error: Exception | None = None) -> None:
        """Record that the file is published, or why it is not."""
        if error is None:
            self._write_state(_DONE)
        self._unlock()
        with self._changed:
            self.error, self.is_finished = error, True
            self._changed.notify_all()

    def _open(self, flags: int) -> None:
        before, self._handle = self._handle, open_shared(self.path, flags)
        if before >= 0:
            os.close(before)

    # The lock between processes; its file holds the state for those that follow

    def follow_until_locked(self) -> bool:
        """Take the lock, following the process that has it; False if that one published it."""
        place = self.path.with_name(f"{self.path.name}.lock")
        self._lock_handle = open_shared(place, os.O_RDWR | os.O_CREAT)
        while not _try_lock(self._lock_handle):
            self._follow()
            time.sleep(_POLL_SECONDS)
        self._follow()  # what came between the last look and the end
        return self._read_state()[0] != _DONE

    def _unlock(self) -> None:
        """Remove the files of the lock and of the spool."""
        for place in (self.path, self.path.with_name(f"{self.path.name}.lock")):
            place.unlink(missing_ok=True)
        handle, self._lock_handle = self._lock_handle, -1
        if handle >= 0:
            os.close(handle)

    def _follow(self) -> None:
        state, total = self._read_state()
        if self._handle < 0:
            with suppress(FileNotFoundError):  # not begun yet, or moved already
                self._open(os.O_RDONLY)
        with self._changed:
            if self._handle >= 0 and state:
                self.total, self.size = total, os.fstat(self._handle).st_size
            if state in (_CHECKED, _DONE) and self._checked_at is None:
                self._checked_at = time.monotonic()
            self._changed.notify_all()

    def _read_state(self) -> tuple[bytes, int | None]:
        state, _, total = _read_at(self._lock_handle, 100, 0).strip().partition(b" ")
        return state, int(total) if total.isdigit() else None

    def _write_state(self, state: bytes) -> None:
        text = state if self.total is None else b"%s %d" % (state, self.total)
        if self._lock_handle >= 0:
            _write_at(self._lock_handle, text.ljust(40), 0)

    # The side that reads

    @property
    def is_readable(self) -> bool:
        """Whether the bytes can be read here, and not only from the store."""
        return self._handle >= 0

    @property
    def unchecked(self) -> int:
        """The bytes that are sent before the checks: all but the last, the first ones at once."""
        known = self.size if self.total is None else self.total
        return max(0, min(self.size, known - HELD_BACK))

    def wait(self) -> None:
        """Wait until the file is published. Raises what the fetch raised."""
        with self._changed:
            self._changed.wait_for(lambda: self.is_finished)
        self._raise_error()

    def wait_readable(self) -> None:
        """Wait until there are bytes to send. Raises what the fetch raised."""
        self._has_reader = True
        self._wait_beyond(0)
        self._raise_error()

    def mark_begun(self) -> None:
        """Record that a reader sent the first bytes."""
        self._is_begun.set()

    def has_news(self, sent: int) -> bool:
        """Whether there are more bytes than those sent, or there will be none."""
        return self._count_available() > sent or self._is_over()

    def read_block(self, sent: int) -> bytes:
        """Return the next bytes after those sent, without waiting; none at the end.

        Raises what the fetch raised, before the last bytes.
        """
        available = self._count_available()
        block = b""
        if available > sent:
            block = _read_at(self._handle, min(_BLOCK, available - sent), sent)
        if not block:
            self._raise_error()
        return block

    def _wait_beyond(self, sent: int) -> int:
        """Wait until more than `sent` bytes may be sent, or none will be; return how many may."""
        with self._changed:
            while (available := self._count_available()) <= sent and not self._is_over():
                self._changed.wait(0.25)  # also for the time after the checks to pass
            return available

    def _count_available(self) -> int:
        return self.size if self._is_over() and self.error is None else self.unchecked

    def _is_over(self) -> bool:
        """Whether no more bytes will come: it is published, failed, or checked long enough ago."""
        if self.is_finished:
            return True
        return self._checked_at is not None and (
            time.monotonic() - self._checked_at > SETTLE_SECONDS
        )

    def _raise_error(self) -> None:
        if self.error is not None:
            raise self.error


class Downloads:
    """The downloads of a process, by (channel id, subdir, file name)."""

    def __init__(self) -> None:
        self._running: dict[tuple[int, str, str], Download] = {}
        self._failed: dict[tuple[int, str, str], float] = {}
        self._lock = threading.Lock()
        self._slots = threading.BoundedSemaphore(MAX_FETCHES)

    def start(
        self,
        key: tuple[int, str, str],
        place: tuple[Path, str],
        fetch: Callable[[Download], None],
    ) -> Download:
        """Return the running download of a file, or start it: `fetch` runs in a thread.

        `place` is the spool, and the hash that the file must have.
        """
        spool, sha256 = place
        with self._lock:
            found = self._running.get(key)
            if found is None:
                spool.mkdir(parents=True, exist_ok=True)
                name = hashlib.sha256("/".join(map(str, key)).encode()).hexdigest()
                found = self._running[key] = Download(spool / f"fetching-{name[:40]}", sha256)
                found.failed_before = self._has_failed(key)
                args = (key, found, fetch)
                threading.Thread(target=self._run, args=args, name="fetch", daemon=True).start()
        return found

    def _has_failed(self, key: tuple[int, str, str]) -> bool:
        limit = time.monotonic() - FAILURE_SECONDS
        self._failed = {one: at for one, at in self._failed.items() if at > limit}
        return key in self._failed

    def _run(
        self, key: tuple[int, str, str], download: Download, fetch: Callable[[Download], None]
    ) -> None:
        error: Exception | None = None
        try:
            with self._slots:
                if download.follow_until_locked():
                    fetch(download)
        except (TwofoldError, OSError) as reason:
            error = reason
        except Exception as reason:
            log.exception("%s could not be fetched", key[2])
            error = reason
        with self._lock:
            del self._running[key]
            if error is not None and download.unchecked:
                self._failed[key] = time.monotonic()
        download.finish(error)
