"""Atomic writes: a hidden `.NAME.PID-ID.part` file, moved into place when it is complete.

A killed process leaves at most the hidden file, which the next build removes. The writer holds a
lock on it; the system releases the lock when the process ends, however it ends, also for another
container over the same folder. Windows needs none: an open file cannot be removed there.
"""

from __future__ import annotations

import os
import sys
import time

from twofold_build.archive import new_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

#: Seconds after which an unlocked file is left over even if a process has its number: numbers are
#: reused, in containers often the same ones.
_QUIET_SECONDS = 60

#: Seconds in which a refused rename is repeated: Windows lets virus scanners open new files.
_RENAME_SECONDS = 1.0 if sys.platform == "win32" else 0.0

try:
    import fcntl
except ImportError:  # Windows

    def _lock(file: IO[bytes]) -> None:
        """Mark the file as being written: it is, while it is open."""

    def _is_locked(path: str) -> bool:
        del path
        return False

else:

    def _lock(file: IO[bytes]) -> None:
        """Mark the file as being written, until it is closed or the process ends."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # a file system without locks, where `_is_locked` fails and nothing is removed

    def _is_locked(path: str) -> bool:
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False


def _close(file: IO[bytes]) -> bool:
    """Close a file; False on a full disk, where what is still buffered is lost."""
    try:
        file.close()
    except OSError:
        return False
    return True


def _rename(source: str, target: str) -> None:
    until = time.monotonic() + _RENAME_SECONDS
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() >= until:
                raise
        time.sleep(0.02)


class AtomicFile:
    """A file that has its final name only when it is complete.

    `stream` is the open hidden file, for reading, writing and seeking. `size` (bytes) and `sha256`
    (lower-case hex) count what was given to `write`. `mode` are the permissions; by default those
    of any new file. As a context manager it commits, or discards the file after an exception.
    """

    __slots__ = ("_hash", "path", "size", "stream", "temporary")

    def __init__(self, path: str | os.PathLike[str], mode: int | None = None) -> None:
        self.path = os.fspath(path)
        folder, name = os.path.split(self.path)
        os.makedirs(folder or ".", exist_ok=True)
        self.temporary = os.path.join(folder, f".{name}.{os.getpid()}-{id(self):x}.part")
        flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0)
        handle = os.open(self.temporary, flags, 0o666 if mode is None else mode)
        if mode is not None:
            os.chmod(self.temporary, mode)  # without the umask
        self.stream = os.fdopen(handle, "w+b", buffering=1 << 18)
        _lock(self.stream)
        self._hash = new_sha256()
        self.size = 0

    def __enter__(self) -> AtomicFile:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()

    def write(self, data: bytes) -> None:
        """Write bytes and count them."""
        self.stream.write(data)
        self._hash.update(data)
        self.size += len(data)

    @property
    def sha256(self) -> str:
        """The SHA-256 (lower-case hex) of what was given to `write`."""
        return self._hash.hexdigest()

    def commit(self) -> None:
        """Move the file into place; it replaces a previous one at once."""
        try:
            self.stream.close()
            _rename(self.temporary, self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Remove the hidden file, if it still exists."""
        _close(self.stream)
        if os.path.exists(self.temporary):
            os.remove(self.temporary)


def write_atomically(path: str | os.PathLike[str], data: bytes, mode: int | None = None) -> None:
    """Write a whole file in one step; its folder is created if needed."""
    with AtomicFile(path, mode) as file:
        file.stream.write(data)


def write_if_changed(path: str | os.PathLike[str], data: bytes) -> bool:
    """Write a whole file in one step unless it has this content; return whether it did."""
    if holds(path, data):
        return False
    write_atomically(path, data)
    return True


def holds(path: str | os.PathLike[str], data: bytes) -> bool:
    """Whether a file has this content."""
    try:
        if os.stat(path).st_size != len(data):
            return False
        with open(path, "rb") as file:
            return file.read() == data
    except FileNotFoundError:
        return False


def remove_leftovers(folder: str | os.PathLike[str], deep: bool = False) -> list[str]:
    """Remove what dead processes left in a folder, and, if `deep`, in its subfolders.

    Returns the removed paths. Files that cannot be examined or removed stay.
    """
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except OSError:
        return []
    removed = []
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            if get_writer_pid(entry.name) and _remove(entry):
                removed.append(entry.path)
        elif deep and entry.is_dir(follow_symlinks=False):
            removed += remove_leftovers(entry.path)
    return removed


def _remove(entry: os.DirEntry[str]) -> bool:
    try:
        quiet = time.time() - entry.stat().st_mtime > _QUIET_SECONDS
        if _is_locked(entry.path) or not (quiet or _is_dead(get_writer_pid(entry.name))):
            return False
        os.remove(entry.path)
    except OSError:
        return False  # completed at this moment, another user's, or open on Windows
    return True


def get_writer_pid(name: str) -> int:
    """Return the id of the process that wrote a hidden `.part` file; 0 for other names."""
    if not (name.startswith(".") and name.endswith(".part")):
        return 0
    number = name[:-5].rpartition(".")[2].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def _is_dead(process: int) -> bool:
    if sys.platform == "win32":  # os.kill would end the process there
        return _is_dead_on_windows(process)
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False


def _is_dead_on_windows(process: int) -> bool:
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined,unused-ignore]
    kernel.OpenProcess.restype = ctypes.c_void_p
    handle = kernel.OpenProcess(0x1000, False, process)  # PROCESS_QUERY_LIMITED_INFORMATION
    if not handle:
        error = ctypes.get_last_error()  # type: ignore[attr-defined,unused-ignore]
        return bool(error == 87)  # ERROR_INVALID_PARAMETER: no such process
    code = ctypes.c_ulong()
    kernel.GetExitCodeProcess(ctypes.c_void_p(handle), ctypes.byref(code))
    kernel.CloseHandle(ctypes.c_void_p(handle))
    return code.value != 259  # STILL_ACTIVE
