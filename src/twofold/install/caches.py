"""Where twofold keeps what it can make again: the platform's folder for caches."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """`TWOFOLD_CACHE_DIR`, else `twofold` in the platform's folder for caches.

    Linux: `$XDG_CACHE_HOME` or `~/.cache`; macOS: `~/Library/Caches`; Windows: `%LOCALAPPDATA%`.
    The folder need not exist.
    """
    said = os.environ.get("TWOFOLD_CACHE_DIR")
    if said:
        return Path(said)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base, "twofold", "Cache")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "twofold"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "twofold")
