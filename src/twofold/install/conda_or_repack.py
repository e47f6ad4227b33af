"""Conda environments; without conda-forge they get this machine's Python, repacked."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from twofold.errors import TwofoldError, Unreachable
from twofold.install.auth import Login
from twofold.install.conda import InstalledPackage, install_into_prefix
from twofold.install.repack_python import repack_python

#: py-rattler's threads continue for a moment after an interruption: how long removal is retried,
#: and the wait for files written late (seconds).
REMOVAL_TIMEOUT = 15.0
LATE_WRITES = 0.3


@contextmanager
def temporary_folder(prefix: str = "twofold-try-") -> Iterator[Path]:
    """Yield an empty folder, removed at the end even while py-rattler still writes to it."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        yield folder
    except BaseException:
        _remove(folder)
        time.sleep(LATE_WRITES)
        _remove(folder)
        raise
    _remove(folder)


def _remove(folder: Path) -> None:
    until = time.monotonic() + REMOVAL_TIMEOUT
    while folder.exists():
        try:
            shutil.rmtree(folder)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


#: The default channel for dependencies; every conda client resolves its name.
COMMON_CHANNEL = "conda-forge"


@dataclass(frozen=True)
class InstallResult:
    """The installed packages, and a `note` for the user ('': none)."""

    packages: list[InstalledPackage]
    note: str = ""


def install_or_repack(
    specs: Sequence[str],
    channels: Sequence[str | Path],
    prefix: Path,
    *,
    logins: Mapping[str, Login] | None = None,
    add_conda_forge: bool = True,
    cache: Path | None = None,
) -> InstallResult:
    """Install from `channels`, then conda-forge; if it is down, with this machine's Python.

    A python of the given channels takes precedence over the repacked one. Raises the exceptions
    of install_into_prefix; without conda-forge the message mentions it.
    """
    if not add_conda_forge:
        found = install_into_prefix(specs, channels, prefix, logins=logins, cache=cache)
        return InstallResult(found)
    try:
        wide = [*channels, COMMON_CHANNEL]
        return InstallResult(install_into_prefix(specs, wide, prefix, logins=logins, cache=cache))
    except Unreachable as error:
        if COMMON_CHANNEL not in str(error):
            raise
    missing = f"{COMMON_CHANNEL} cannot be reached"
    with temporary_folder("twofold-channel-") as folder:
        try:
            repack_python(folder, cache=cache)
            index_channel(folder)
            narrow = [*channels, folder]
            found = install_into_prefix(specs, narrow, prefix, logins=logins, cache=cache)
        except TwofoldError as error:
            stand_in = folder.absolute().as_uri()
            message = error.problems[0].message.replace(stand_in, "this machine's Python")
            raise TwofoldError(f"{missing}, and {message}", error.hint) from error
    return InstallResult(found, f"{missing}: using this machine's Python, repacked")


def index_channel(folder: Path) -> None:
    """Write the repodata of a channel folder with py-rattler."""
    from rattler.index import index_fs

    asyncio.run(index_fs(folder))
