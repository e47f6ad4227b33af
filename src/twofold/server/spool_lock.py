"""Which processes use a data folder: each holds a lock, which the system ends with the process.

So a server that starts knows whether anything in the spool is still needed. Windows has no shared
locks on files, and some file systems of other machines have none at all: nobody is alone there.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref
from collections.abc import Iterator
from pathlib import Path

if sys.platform != "win32":
    import fcntl


class SpoolLock:
    """A lock that all processes share; `data` is the data folder."""

    def __init__(self, data: Path) -> None:
        self._handle: int | None = None
        if sys.platform == "win32":
            return
        with contextlib.suppress(OSError):  # a full disk stops no reader: nobody is alone then
            self._handle = os.open(data / ".spool.lock", os.O_RDWR | os.O_CREAT, 0o600)
            weakref.finalize(self, os.close, self._handle)
            fcntl.flock(self._handle, fcntl.LOCK_SH)

    @contextlib.contextmanager
    def alone(self) -> Iterator[bool]:
        """Keep other processes from beginning; False where one is there, or cannot be known."""
        if sys.platform == "win32" or self._handle is None:
            yield False
            return
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            is_alone = False
        else:
            is_alone = True
        try:
            yield is_alone
        finally:  # a failed attempt has lost the shared lock too (flock(2))
            with contextlib.suppress(OSError):
                fcntl.flock(self._handle, fcntl.LOCK_SH)
