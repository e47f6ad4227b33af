"""The project's own virtual environment, made on first use, renewed when its settings change.

Used by scripts/tour and scripts/test; needs Python 3.11 or newer with its venv module.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv"
BIN = FOLDER / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")

READER_SOURCES = ROOT / "reader" / "src"


def prepare(*groups: str) -> dict[str, str]:
    """Make `.venv` hold twofold[all] and the dependency groups named; return its environment.

    What was installed is remembered by the hash of the pyproject.toml files and of the reader's
    sources, so that a second call costs nothing. The reader is built where cargo is.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 - this file is what tells the user so
        sys.exit(f"twofold needs Python 3.11 or newer; this is {sys.version.split()[0]}")
    settings = [ROOT / "pyproject.toml", ROOT / "backend" / "pyproject.toml"]
    settings += sorted((ROOT / "reader").glob("*.toml")) + sorted(READER_SOURCES.glob("*.rs"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in settings)).hexdigest()
    stamp = FOLDER / "twofold-stamp.txt"
    noted = stamp.read_text(encoding="utf-8").split() if stamp.exists() else []
    # Groups stay installed: scripts/docs and scripts/test in turn reinstall nothing.
    there = set(noted[1:]) if noted[:1] == [digest] else set()
    if not noted or noted[0] != digest or not there.issuperset(groups):
        _install(groups)
        stamp.write_text(" ".join([digest, *sorted(there.union(groups))]), encoding="utf-8")
    # A real virtual environment first on PATH: a version manager's shim before it makes every
    # client that looks for `python3` slow.
    return {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}",
        "VIRTUAL_ENV": str(FOLDER),
        "OTEL_SDK_DISABLED": "true",
    }


def _install(groups: tuple[str, ...]) -> None:
    print(f"preparing {FOLDER.name}/ (once; some minutes without a package cache)", file=sys.stderr)
    if not PYTHON.exists():
        try:
            venv.create(FOLDER, with_pip=True, symlinks=os.name != "nt")
        except (subprocess.CalledProcessError, ModuleNotFoundError) as error:
            sys.exit(
                f"this Python cannot make a virtual environment: {error}\n"
                "  hint: install its venv and ensurepip modules (python3-venv on Debian)"
            )
    reader = _start_reader()  # beside pip, which takes longer
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    # pip 25.1 is the first to know dependency groups.
    subprocess.run([*pip, "--upgrade", "pip>=25.1"], check=True)
    chosen = [
        word for group in groups for word in ("--group", f"{ROOT / 'pyproject.toml'}:{group}")
    ]
    subprocess.run(
        [*pip, "-e", str(ROOT / "backend"), "-e", f"{ROOT}[all]", *chosen], check=True, cwd=ROOT
    )
    _finish_reader(reader)


def _start_reader() -> subprocess.Popen[bytes] | None:
    """Build the compiled reader, without which first builds are slower, and its tests skipped."""
    if shutil.which("cargo") is None:
        return None
    # Not by pip and maturin, which takes four times as long.
    return subprocess.Popen(
        ["cargo", "build", "--release", "--quiet", "--locked"], cwd=ROOT / "reader"
    )


def _finish_reader(building: subprocess.Popen[bytes] | None) -> None:
    name = "twofold-reader.exe" if os.name == "nt" else "twofold-reader"
    if building is None:
        print("note: without Rust's cargo there is no twofold-reader: its tests are skipped")
    elif building.wait() != 0:
        print("note: twofold-reader could not be built: its tests are skipped")
    else:
        shutil.copy2(ROOT / "reader" / "target" / "release" / name, BIN / name)
