"""The environment that tests run in: nothing of the user's own configuration is in it.

pip and uv find PyPI by the environment (`PIP_INDEX_URL`, `UV_DEFAULT_INDEX`) or by the machine's
settings (/etc/pip.conf); a file in the user's home never says so to a test.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

#: Variables that name a file of the user's, or hold a setting of theirs.
DROPPED = ("NETRC", "CONDARC", "MAMBARC", "SOURCE_DATE_EPOCH", "NO_COLOR")
DROPPED_PREFIXES = ("TWINE_", "TWOFOLD_", "BINSTAR_", "ANACONDA_", "GIT_CONFIG", "UV_CONFIG")

#: Programs that live in the home and not in the system, by the variable that says where.
PROGRAMS = {
    "PYENV_ROOT": ".pyenv",
    "RUSTUP_HOME": ".rustup",
    "CARGO_HOME": ".cargo",
    "UV_PYTHON_INSTALL_DIR": ".local/share/uv/python",
}


def users_settings(environment: Mapping[str, str]) -> list[str]:
    """The variables of the environment that hold the user's settings."""
    return [name for name in environment if name in DROPPED or name.startswith(DROPPED_PREFIXES)]


def kept_from_home(environment: Mapping[str, str]) -> dict[str, str]:
    """What is found in the home and must stay found: programs, and the downloads of pip and uv.

    The two caches change no result and save minutes.
    """
    home = Path.home()
    programs = {
        name: home / folder for name, folder in PROGRAMS.items() if (home / folder).exists()
    }
    kept = programs | download_caches(home)
    return {name: str(path) for name, path in kept.items() if name not in environment}


def download_caches(home: Path) -> dict[str, Path]:
    """Where pip and uv keep downloads unless a variable says otherwise."""
    if sys.platform == "win32":
        local = Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local"))
        return {"PIP_CACHE_DIR": local / "pip" / "Cache", "UV_CACHE_DIR": local / "uv" / "cache"}
    caches = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    of_pip = home / "Library" / "Caches" if sys.platform == "darwin" else caches
    return {"PIP_CACHE_DIR": of_pip / "pip", "UV_CACHE_DIR": caches / "uv"}


def home_in(folder: Path) -> dict[str, str]:
    """The variables by which every program takes `folder` for the user's home."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        "HOME": str(folder),
        "USERPROFILE": str(folder),
        "APPDATA": str(folder / "AppData" / "Roaming"),
        "LOCALAPPDATA": str(folder / "AppData" / "Local"),
        "XDG_CONFIG_HOME": str(folder / ".config"),
        "XDG_DATA_HOME": str(folder / ".local" / "share"),
        "XDG_STATE_HOME": str(folder / ".local" / "state"),
        "XDG_CACHE_HOME": str(folder / ".cache"),
    }
