"""Describes an installed CPython: its version and the paths of its parts."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from twofold.errors import SubprocessFailed, TwofoldError

#: Incremented if the files made from the same interpreter change, to invalidate caches.
LAYOUT = 2

DESCRIBE_SCRIPT = """
import json, os, sys, sysconfig
get = sysconfig.get_config_var
print(json.dumps({
    "executable": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "implementation": sys.implementation.name,
    "version": "{}.{}.{}".format(*sys.version_info[:3]),
    "release_level": sys.version_info.releaselevel,
    "banner": sys.version,
    "prefix": sys.base_prefix,
    "stdlib": os.path.dirname(os.__file__),
    "include": sysconfig.get_path("include", vars={"installed_base": sys.base_prefix}) or "",
    "libdir": get("LIBDIR") or "",
    "soname": get("INSTSONAME") or "",
    "free_threaded": bool(get("Py_GIL_DISABLED")),
    "wheels": get("WHEEL_PKG_DIR") or "",
}))
"""


@dataclass(frozen=True)
class Interpreter:
    """An installed CPython and the paths of its parts; for a virtual environment, its base."""

    executable: str
    implementation: str
    version: str
    release_level: str
    banner: str
    prefix: str
    stdlib: str
    include: str
    libdir: str
    soname: str
    free_threaded: bool
    wheels: str

    @property
    def minor(self) -> str:
        """`3.11`."""
        return ".".join(self.version.split(".")[:2])

    @property
    def abi(self) -> str:
        """`cp311`, or `cp313t` for a free-threaded build, as in the build of `python_abi`."""
        return f"cp{self.minor.replace('.', '')}{'t' if self.free_threaded else ''}"

    @property
    def libpython(self) -> Path | None:
        """The shared library the executable may need; None if there is none."""
        if ".so" not in self.soname:
            return None
        for folder in (self.libdir, f"{self.prefix}/lib"):
            library = Path(folder, self.soname)
            if library.is_file():
                return library
        return None

    @property
    def pip_wheel(self) -> Path | None:
        """The bundled wheel of pip: ensurepip's, or the Linux distribution's."""
        for folder in (Path(self.stdlib, "ensurepip", "_bundled"), Path(self.wheels or os.devnull)):
            found = sorted(folder.glob("pip-*.whl"))
            if found:
                return found[-1]
        return None

    def compute_identity(self) -> str:
        """Compute a short hash that changes with the interpreter (its version, a rebuild)."""
        parts = [Path(self.executable), Path(self.stdlib, "os.py"), self.libpython]
        stamps = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in parts if p]
        text = json.dumps([LAYOUT, asdict(self), stamps], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def describe(python: Path | None = None) -> Interpreter:
    """Describe an interpreter (default: the running one); a venv is described by its base.

    Raises SubprocessFailed if it does not run, TwofoldError if it is not CPython.
    """
    command = [str(python or sys.executable), "-X", "utf8", "-I", "-c", DESCRIBE_SCRIPT]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            timeout=60,
        )
    except OSError as error:
        raise SubprocessFailed(
            f"{command[0]} does not run: {error}", "pass the path of a Python interpreter"
        ) from error
    if done.returncode != 0:
        raise SubprocessFailed(
            f"{command[0]} is not a working Python interpreter",
            "pass the path of a Python interpreter",
            output=done.stderr,
        )
    found = Interpreter(**json.loads(done.stdout))
    if found.implementation != "cpython":
        raise TwofoldError(
            f"{command[0]} is {found.implementation}, but only CPython can be repacked",
            "run twofold with CPython, or use a channel that has a python package",
        )
    return found
