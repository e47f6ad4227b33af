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
from twofold.install.conda import InstalledPackage, has_package, import_rattler, install_into_prefix
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

#: The hint for packages that are missing without conda-forge.
CONVERT = "run 'twofold convert NAME --out DIR' for what is missing, and add --channel DIR"


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
    upgrade: bool = False,
) -> InstallResult:
    """Install from `channels`, then conda-forge; without a python there, with this machine's.

    That is repacked where conda-forge does not respond, or is not wanted and no channel has a
    python; one of the given channels takes precedence. Raises the exceptions of
    install_into_prefix; without conda-forge the message mentions it.
    """

    def install(places: Sequence[str | Path]) -> list[InstalledPackage]:
        return install_into_prefix(specs, places, prefix, logins=logins, upgrade=upgrade)

    wide = [*channels, *([COMMON_CHANNEL] if COMMON_CHANNEL not in channels else [])]
    try:
        return InstallResult(install(wide if add_conda_forge else channels))
    except Unreachable as error:
        if COMMON_CHANNEL not in str(error):
            raise
        missing = f"{COMMON_CHANNEL} cannot be reached"
    except TwofoldError:
        if add_conda_forge or has_package("python", channels, logins or {}):
            raise
        missing = "no channel has a Python"
    with temporary_folder("twofold-channel-") as folder:
        try:
            repack_python(folder)
            index_channel(folder)
            found = install([*(one for one in channels if one != COMMON_CHANNEL), folder])
        except TwofoldError as error:
            stand_in = folder.absolute().as_uri()
            message = error.problems[0].message.replace(stand_in, "this machine's Python")
            hint = CONVERT if "cannot solve" in message else error.hint
            raise TwofoldError(f"{missing}, and {message}", hint) from error
    return InstallResult(found, f"{missing}: using this machine's Python, repacked")


def index_channel(folder: Path) -> None:
    """Write the repodata of a channel folder with py-rattler."""
    import_rattler()  # explains what to install if it is missing
    from rattler.index import index_fs

    asyncio.run(index_fs(folder))
