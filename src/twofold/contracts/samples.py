"""Small built files for the contract suites."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from pathlib import Path

from twofold.artifact import Kind
from twofold.convert import convert_all
from twofold.formats.reader import read_artifact
from twofold.publish.files import ReleaseFile

_METADATA = """\
Metadata-Version: 2.1
Name: {name}
Version: {version}
Summary: A sample of a contract suite
License: MIT
Requires-Python: >=3.9
Description-Content-Type: text/markdown

# {name}
"""


def make_sample(
    folder: Path,
    kind: Kind,
    name: str = "contract_sample",
    version: str = "1.0",
    code: str = "x = 1\n",
) -> ReleaseFile:
    """Make a file of a kind in a folder; another `code` makes other contents of the same name."""
    folder.mkdir(parents=True, exist_ok=True)
    if kind is Kind.SDIST:
        return ReleaseFile(read_artifact(_write_sdist(folder, name, version, code)))
    wheel = _write_wheel(folder, name, version, code)
    if kind is Kind.WHEEL:
        return ReleaseFile(read_artifact(wheel))
    (package,) = convert_all(wheel, folder)
    return ReleaseFile(package)


def _write_wheel(folder: Path, name: str, version: str, code: str) -> Path:
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}/__init__.py": code,
        f"{info}/METADATA": _METADATA.format(name=name, version=version),
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=")
        lines.append(f"{path},sha256={digest.decode()},{len(text.encode())}")
    files[f"{info}/RECORD"] = "\n".join([*lines, f"{info}/RECORD,,", ""])
    made = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path), text)
    return made


def _write_sdist(folder: Path, name: str, version: str, code: str) -> Path:
    root = f"{name}-{version}"
    files = {
        f"{root}/PKG-INFO": _METADATA.format(name=name, version=version),
        f"{root}/pyproject.toml": f'[project]\nname = "{name}"\nversion = "{version}"\n',
        f"{root}/src/{name}/__init__.py": code,
    }
    made = folder / f"{root}.tar.gz"
    with (
        gzip.GzipFile(made, "wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path, text in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return made
