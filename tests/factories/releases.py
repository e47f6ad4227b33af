"""Wheels, sdists and conda packages of a release, and git for its project."""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold_build.archive import Content, Entry

WHEEL = b"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_metadata(name: str, version: str, extra: str = "") -> bytes:
    return (
        f"Metadata-Version: 2.3\nName: {name}\nVersion: {version}\nSummary: A small package\n"
        f"Keywords: one,two\nProject-URL: Home, https://example.org/home\n"
        f"Requires-Python: >=3.9\nDescription-Content-Type: text/markdown\n{extra}\n# {name}\n"
    ).encode()


def make_wheel(
    folder: Path, name: str, version: str, code: str = "x = 1\n", extra: str = ""
) -> Path:
    """A wheel by PEP 427; `code` makes its bytes differ."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code.encode(),
        f"{info}/METADATA": make_metadata(name, version, extra),
        f"{info}/WHEEL": WHEEL,
    }
    rows = [f"{p},sha256={_urlsafe(data)},{len(data)}" for p, data in files.items()]
    files[f"{info}/RECORD"] = "\n".join([*rows, f"{info}/RECORD,,", ""]).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, data in files.items():
            archive.writestr(zipfile.ZipInfo(inner, (2024, 1, 1, 0, 0, 0)), data)
    return path


def _urlsafe(data: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


def make_sdist(
    folder: Path, name: str, version: str, build: str = "", more: Mapping[str, str] | None = None
) -> Path:
    """An sdist; `build` stands before [project], `more` are other files by their paths."""
    others = {path: text.encode() for path, text in (more or {}).items()}
    path = folder / f"{name}-{version}.tar.gz"
    project = f'{build}[project]\nname = "{name}"\nversion = "{version}"\n'
    with tarfile.open(path, "w:gz") as archive:
        for inner, data in {
            "PKG-INFO": make_metadata(name, version),
            "pyproject.toml": project.encode(),
            f"{name}/__init__.py": b"x = 1\n",
            **others,
        }.items():
            header = tarfile.TarInfo(f"{name}-{version}/{inner}")
            header.size = len(data)
            archive.addfile(header, io.BytesIO(data))
    return path


def make_conda(
    folder: Path,
    name: str,
    version: str,
    code: str = "x = 1\n",
    depends: Sequence[str] = ("python >=3.9",),
    ending: str = ".conda",
) -> Path:
    path = folder / f"{name}-{version}-py_0{ending}"
    package = CondaPackage(name, version, depends=list(depends), timestamp=1_700_000_000_000)
    writer = (CondaWriter if ending == ".conda" else TarBz2Writer)(path, package)
    data = code.encode()
    entry = Entry(f"site-packages/{name}/__init__.py", data=data)
    writer.add(entry, Content(data, hashlib.sha256(data).digest()))
    writer.close()
    return path


@dataclass(frozen=True)
class Release:
    folder: Path
    wheel: Path
    sdist: Path
    conda: Path

    @property
    def files(self) -> list[Path]:
        return [self.wheel, self.sdist, self.conda]


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def git(project: Path, *words: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=project, capture_output=True, text=True, check=True
    )
    return done.stdout
