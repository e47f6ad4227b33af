"""A temporary folder, without the module tempfile, whose import costs a small build a tenth."""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class ScratchFolder:
    """A new folder that only this user can enter; as a context manager it is removed at the end.

    Below TMPDIR or /tmp, else where tempfile puts its folders.
    """

    def __init__(self, prefix: str) -> None:
        self.path = os.path.join(_find_parent(), f"{prefix}{os.urandom(8).hex()}")
        os.mkdir(self.path, 0o700)

    def __enter__(self) -> str:
        return self.path

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        remove_tree(self.path)


def _find_parent() -> str:
    chosen = os.environ.get("TMPDIR") or "/tmp"
    is_usable = os.path.isabs(chosen) and os.path.isdir(chosen) and os.access(chosen, os.W_OK)
    if os.name == "posix" and is_usable:
        return chosen
    import tempfile

    return tempfile.gettempdir()


def remove_tree(folder: str) -> None:
    """Remove a folder and all in it, read-only files and folders too. Links are not followed."""
    try:
        _remove(folder)
    except PermissionError:  # a read-only folder; on Windows a read-only file
        for path, folders, files in os.walk(folder):
            os.chmod(path, stat.S_IRWXU)
            for name in (*folders, *files):
                inner = os.path.join(path, name)
                if not os.path.islink(inner):
                    os.chmod(inner, stat.S_IRWXU)
        _remove(folder)


def _remove(folder: str) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                _remove(entry.path)
            else:
                os.remove(entry.path)
    os.rmdir(folder)
