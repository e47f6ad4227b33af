"""Where twofold keeps what it can make again: the platform's folder for caches."""

from __future__ import annotations

import os
import sys


def get_cache_dir() -> str:
    """`TWOFOLD_CACHE_DIR`, else `twofold` in the platform's folder for caches.

    Linux: `$XDG_CACHE_HOME` or `~/.cache`; macOS: `~/Library/Caches`; Windows: `%LOCALAPPDATA%`.
    The folder need not exist. A text and not a Path: the checks before a build ask for it.
    """
    said = os.environ.get("TWOFOLD_CACHE_DIR")
    if said:
        return said
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return os.path.join(home, "twofold", "Cache")
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/twofold")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "twofold")
