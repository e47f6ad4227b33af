"""How messages show paths. It imports nothing else: `build` uses it."""

from __future__ import annotations

import os


def shorten_path(path: str | os.PathLike[str]) -> str:
    """Return the path relative to the working folder, if it is inside."""
    full = os.fspath(path)
    try:
        relative = os.path.relpath(full)
    except ValueError:  # another drive of Windows
        return full
    return full if relative.startswith("..") else relative
