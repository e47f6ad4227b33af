"""Repacks this machine's CPython as a conda package, for channels without conda-forge.

No package index ships a relocatable CPython, so the installed one is copied: its executable,
libpython if shared, the standard library and the headers, without site-packages. The package is
relocatable (RPATH `$ORIGIN/../lib`, the old prefix in text files replaced by the installer) but
needs this machine's libssl, libffi and libsqlite: it is for local channels, never for publication.

Repacking takes seconds, so the files are cached under the identity of the interpreter.
"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from pathlib import Path

from twofold.cache_dir import get_cache_dir
from twofold.convert import convert_wheel
from twofold.errors import TwofoldError
from twofold.install.installed_python import Interpreter, describe
from twofold.install.python_files import collect_members
from twofold.install.python_package import write_package
from twofold.names.platforms import find_subdir
from twofold_build.atomic import AtomicFile

__all__ = ["Interpreter", "describe", "repack_python"]


def repack_python(
    channel: Path, *, python: Path | None = None, cache: Path | None = None
) -> list[Path]:
    """Write `python`, `python_abi` and `pip` of an installed CPython to a channel folder.

    `python` is an interpreter's path (default: the running one; the base of a virtual
    environment). Returns the files written: `<subdir>/python-3.11.7-<build>.conda`,
    `noarch/python_abi-3.11-0_cp311.conda`, and pip if the interpreter has its wheel. The channel
    is not indexed. `cache` is the folder kept between runs (default: the user's cache folder).

    Raises TwofoldError on other systems than Linux: only conda-forge has a python for them.
    """
    subdir = _find_subdir()
    interpreter = describe(python)
    kept = Path(cache or get_cache_dir()) / "interpreters" / interpreter.compute_identity()
    if not kept.is_dir():
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="making-") as making:
            fresh = Path(making, "packages")
            _make_packages(interpreter, fresh, subdir)
            try:
                fresh.replace(kept)
            except OSError:
                if not kept.is_dir():  # else another process was faster and wrote the same
                    raise
    return [
        _copy(file, channel / file.parent.name / file.name) for file in sorted(_list_packages(kept))
    ]


def _list_packages(folder: Path) -> list[Path]:
    return [*folder.glob("*/*.conda")]


def _copy(source: Path, target: Path) -> Path:
    with source.open("rb") as stream, AtomicFile(target) as file:
        shutil.copyfileobj(stream, file.stream)
    return target


def _find_subdir() -> str:
    subdir = find_subdir(sys.platform, platform.machine())
    if subdir not in ("linux-64", "linux-aarch64", "linux-ppc64le"):
        raise TwofoldError(
            f"an installed Python cannot be repacked on {platform.system()} {platform.machine()}",
            "use a channel that has a python package, such as conda-forge",
        )
    return subdir


def _make_packages(interpreter: Interpreter, channel: Path, subdir: str) -> None:
    """Write the packages to `channel`."""
    flavour = interpreter.abi if interpreter.free_threaded else "cpython"
    library = f"lib/python{interpreter.minor}{'t' if interpreter.free_threaded else ''}"
    index = {
        "name": "python",
        "version": interpreter.version,
        "build": f"h{interpreter.compute_identity()[:7]}_0_{flavour}",
        "build_number": 0,
        "subdir": subdir,
        "platform": "linux",
        "arch": platform.machine().lower(),
        "depends": [f"python_abi {interpreter.minor}.* *_{interpreter.abi}"],
        "constrains": [],
        "license": "PSF-2.0",
        "python_site_packages_path": f"{library}/site-packages",
        "timestamp": int(Path(interpreter.executable).stat().st_mtime * 1000),
    }
    about = {
        "summary": f"CPython {interpreter.version} repacked from this machine by twofold",
        "license": "PSF-2.0",
    }
    with tempfile.TemporaryDirectory(prefix="twofold-python-") as work:
        write_package(channel / subdir, index, about, collect_members(interpreter, Path(work)))
    write_package(
        channel / "noarch", _make_python_abi_index(interpreter, index["timestamp"]), {}, []
    )
    if interpreter.pip_wheel is not None:
        # conda adds pip to every python by default: without it there is no solution.
        convert_wheel(interpreter.pip_wheel, channel)


def _make_python_abi_index(interpreter: Interpreter, timestamp: object) -> dict[str, object]:
    return {
        "name": "python_abi",
        "version": interpreter.minor,
        "build": f"0_{interpreter.abi}",
        "build_number": 0,
        "subdir": "noarch",
        "noarch": "generic",
        "depends": [],
        "constrains": [f"python {interpreter.minor}.*"],
        "license": "BSD-3-Clause",
        "timestamp": timestamp,
    }
