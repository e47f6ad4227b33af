"""METADATA of a dependency from the user's index, asked through pip as it is configured.

pip resolves without dependencies and without installing: where the index offers the metadata
alone (PEP 658) no wheel is fetched. Answers are kept for a day in the user's cache, per
configuration of pip; an older one counts when the index cannot be reached.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from twofold.cache_dir import get_cache_dir
from twofold.convert.metadata_sources import MetadataSource
from twofold.convert.resolution import Target, resolve
from twofold.errors import SubprocessFailed, TwofoldError
from twofold_build.atomic import write_atomically

#: Seconds for which an answer is not asked for again.
MAX_AGE = 24 * 3600


def query_index(target: Target = Target(), cache: Path | None = None) -> MetadataSource:  # noqa: B008
    """The newest version on the user's index that fits; wheels only.

    Raises TwofoldError when the index cannot be asked and has not been before.
    """
    folder = cache or Path(get_cache_dir(), "metadata")

    def metadata_of(name: str, specifier: str) -> bytes | None:
        kept = folder / _make_cache_key(name, specifier, target)
        age = time.time() - kept.stat().st_mtime if kept.exists() else None
        if age is not None and 0 <= age < MAX_AGE:
            return kept.read_bytes()
        try:
            (found,) = resolve([f"{name}{specifier}"], target, with_deps=False, retry=False)
        except SubprocessFailed as error:
            if age is not None:
                return kept.read_bytes()
            raise TwofoldError(_find_error_line(error.output)) from error
        write_atomically(kept, found.metadata)
        return found.metadata

    return metadata_of


def _find_error_line(output: str) -> str:
    """What pip said last, without its advice."""
    lines = [line for line in output.splitlines() if line.startswith("ERROR: ")]
    return lines[-1].removeprefix("ERROR: ") if lines else "pip could not ask the index"


def _make_cache_key(name: str, specifier: str, target: Target) -> str:
    """A file name that says nothing of indexes' addresses, which may hold passwords."""
    digest = hashlib.sha256(repr((name, specifier, target)).encode())
    for variable in sorted(v for v in os.environ if v.startswith("PIP_")):
        digest.update(f"{variable}={os.environ[variable]}\n".encode())
    for place in _list_pip_config_files():
        if place.is_file():
            digest.update(place.read_bytes())
    return f"{name}-{digest.hexdigest()[:32]}"


def _list_pip_config_files() -> list[Path]:
    """Where pip looks for its configuration (its user guide, 'Configuration')."""
    home = Path.home()
    named = Path(sys.prefix, "pip.ini" if os.name == "nt" else "pip.conf")
    if os.name == "nt":
        roots = [os.environ.get("PROGRAMDATA", ""), os.environ.get("APPDATA", "")]
        return [named, *(Path(root, "pip", "pip.ini") for root in roots), home / "pip" / "pip.ini"]
    config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = [Path("/etc/pip.conf"), Path("/etc/xdg/pip/pip.conf")]
    mac = [Path("/Library/Application Support/pip/pip.conf")]
    mac += [home / "Library" / "Application Support" / "pip" / "pip.conf"]
    return [named, *system, *mac, config / "pip" / "pip.conf", home / ".pip" / "pip.conf"]
