"""Small real files for the registry's tests: wheels, sdists and conda packages made on the spot."""

from __future__ import annotations

import base64
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

from twofold.conda_metadata import CondaPackage
from twofold.convert import convert_wheel
from twofold.formats.conda_reader import open_part
from twofold.formats.conda_writer import CondaWriter
from twofold.names import escape_for_filename
from twofold_build.archive import Entry, to_content

TIME = (1980, 1, 1, 0, 0, 0)


def metadata(name: str, version: str, *more: str) -> bytes:
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", "Summary: x", *more]
    return ("\n".join(lines) + "\n").encode()


def wheel_members(
    name: str, version: str, *more: str, tag: str = "py3-none-any", code: str = "x = 1\n"
) -> dict[str, bytes]:
    """A wheel's files by path, RECORD last and right."""
    plain = escape_for_filename(name)
    info = f"{plain}-{version}.dist-info"
    purelib = "true" if tag.endswith("any") else "false"
    message = f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {purelib}\nTag: {tag}\n"
    members = {
        f"{plain}/__init__.py": code.encode(),
        f"{info}/METADATA": metadata(name, version, *more),
        f"{info}/WHEEL": message.encode(),
    }
    return {**members, f"{info}/RECORD": record(members, f"{info}/RECORD")}


def record(members: Mapping[str, bytes], own: str) -> bytes:
    lines = []
    for path, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    return ("".join(lines) + f"{own},,\n").encode()


def zip_bytes(members: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in members.items():
            archive.writestr(zipfile.ZipInfo(path, TIME), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def make_wheel(
    folder: Path,
    name: str = "my_package",
    version: str = "1.0.0",
    *more: str,
    tag: str = "py3-none-any",
    code: str = "x = 1\n",
) -> Path:
    """A pure (or, by its tag, binary) wheel; `more` are further lines of METADATA."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{escape_for_filename(name)}-{version}-{tag}.whl"
    path.write_bytes(zip_bytes(wheel_members(name, version, *more, tag=tag, code=code)))
    return path


def make_sdist(
    folder: Path,
    name: str = "my_package",
    version: str = "1.0.0",
    more: Mapping[str, bytes] | None = None,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"{escape_for_filename(name)}-{version}"
    path = folder / f"{stem}.tar.gz"
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, compresslevel=1) as archive:
        for member, data in {
            "PKG-INFO": metadata(name, version),
            **(more or {}),
            "pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n'.encode(),
            "x.py": b"x = 1\n",
        }.items():
            info = tarfile.TarInfo(f"{stem}/{member}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def make_conda(folder: Path, name: str = "my_package", version: str = "1.0.0") -> Path:
    """A noarch `.conda`."""
    return convert_wheel(make_wheel(folder / "wheels", name, version), folder).path


def make_generic_conda(folder: Path, name: str, version: str) -> Path:
    """A noarch `.conda` of any version that conda accepts."""
    package = CondaPackage(name, version, build="0", noarch="generic")
    path = folder / f"{package.stem}.conda"
    folder.mkdir(parents=True, exist_ok=True)
    writer = CondaWriter(path, package)
    writer.add(Entry(f"share/{name}.txt"), to_content(version.encode()))
    writer.close()
    return path


def make_python(folder: Path) -> Path:
    """A package named python without a program: enough for a solver."""
    package = CondaPackage("python", "3.12.1", build="0", noarch=None)
    path = folder / f"{package.stem}.conda"
    folder.mkdir(parents=True, exist_ok=True)
    writer = CondaWriter(path, package)
    writer.add(Entry("share/python.txt"), to_content(b"python\n"))
    writer.close()
    return path


def sha256_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_contents(path: Path) -> dict[str, bytes]:
    found = {}
    for part in ("pkg", "info"):
        with open_part(path, part) as tar:
            found |= {member.path: tar.read(1 << 30) for member in tar}
    return found
