"""The folder of twofold's caches."""

from __future__ import annotations

import os
import sys


def get_cache_dir() -> str:
    """Return `TWOFOLD_CACHE_DIR`, else `twofold` in the platform's folder for caches.

    Linux: `$XDG_CACHE_HOME` or `~/.cache`; macOS: `~/Library/Caches`; Windows: `%LOCALAPPDATA%`.
    The folder need not exist. A string and not a Path: the checks before a build must not import
    pathlib.
    """
    configured = os.environ.get("TWOFOLD_CACHE_DIR")
    if configured:
        return configured
    if sys.platform == "win32":
        home = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~\\AppData\\Local")
        return os.path.join(home, "twofold", "Cache")
    if sys.platform == "darwin":
        return os.path.expanduser("~/Library/Caches/twofold")
    home = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(home, "twofold")
