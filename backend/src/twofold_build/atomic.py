"""What a killed process leaves, hidden `.NAME.PID.part` files: the next build removes them.

Whoever writes such a file holds a lock on it, which the system lets go when the process ends,
however it ends, also in another container over the same folder. Windows needs none: an open file
cannot be removed there.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

#: A file that nobody holds and nobody wrote to for so long (seconds) is left over, even if a
#: process has its number: numbers are given again, in containers often the same ones.
_QUIET = 60

try:
    import fcntl
except ImportError:  # Windows

    def hold(file: IO[bytes]) -> None:
        """Say that the file is being written: it is, while it is open."""

    def _is_held(path: str) -> bool:
        del path
        return False

else:

    def hold(file: IO[bytes]) -> None:
        """Say that the file is being written, until it is closed or the process ends."""
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return  # a file system without locks, where `_is_held` fails too and nothing is removed

    def _is_held(path: str) -> bool:
        handle = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False


def remove_leftovers(folder: str | os.PathLike[str], deep: bool = False) -> list[str]:
    """Remove what dead processes left in a folder, and, if `deep`, in the folders in it.

    Returns the paths of what was removed. What cannot be looked at or removed stays.
    """
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
    except OSError:
        return []
    removed = []
    for entry in entries:
        if entry.is_file(follow_symlinks=False):
            if _writer_pid(entry.name) and _remove(entry):
                removed.append(entry.path)
        elif deep and entry.is_dir(follow_symlinks=False):
            removed += remove_leftovers(entry.path)
    return removed


def _remove(entry: os.DirEntry[str]) -> bool:
    try:
        quiet = time.time() - entry.stat().st_mtime > _QUIET
        if _is_held(entry.path) or not (quiet or _is_dead(_writer_pid(entry.name))):
            return False
        os.remove(entry.path)
    except OSError:
        return False  # finished in this moment, somebody else's, or open on Windows
    return True


def _writer_pid(name: str) -> int:
    """The number of the process that began a hidden file; 0 where the name is none of ours."""
    if not (name.startswith(".") and name.endswith(".part")):
        return 0
    number = name[:-5].rpartition(".")[2].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else 0


def _is_dead(process: int) -> bool:
    if os.name == "nt":  # where os.kill ends the process that it asks for
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):
        return False
    return False
