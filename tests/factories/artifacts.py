"""Small wheels, sdists and conda packages, right or wrong in one chosen way."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import zstandard

from twofold.conda_metadata import CondaPackage
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold_build.archive import Content, Entry

STEM = "my_package-1.0.0-py_0"
METADATA = "Metadata-Version: 2.4\nName: my_package\nVersion: 1.0.0\n"
WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel_files(
    files: Mapping[str, bytes] | None = None,
    metadata: str = METADATA,
    stem: str = "my_package-1.0.0",
    wheel: str = WHEEL,
) -> dict[str, bytes]:
    """Path -> bytes of a whole wheel, RECORD last."""
    dist_info = f"{stem}.dist-info"
    every = dict(files if files is not None else {"my_package/__init__.py": b"answer = 42\n"})
    every[f"{dist_info}/METADATA"] = metadata.encode()
    every[f"{dist_info}/WHEEL"] = wheel.encode()
    lines = []
    for path, data in every.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(data)}\n")
    every[f"{dist_info}/RECORD"] = "".join([*lines, f"{dist_info}/RECORD,,\n"]).encode()
    return every


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2020, 2, 2, 0, 0, 0)), data)
    return path


def write_wheel(
    folder: Path,
    files: Mapping[str, bytes] | None = None,
    metadata: str = METADATA,
    filename: str = "my_package-1.0.0-py3-none-any.whl",
) -> Path:
    """A sound wheel, `filename` and `metadata` as told."""
    folder.mkdir(parents=True, exist_ok=True)
    name, version, *_ = filename.split("-")
    tags = filename.removesuffix(".whl").split("-")[-3:]
    expanded = [
        f"{p}-{a}-{s}"
        for p in tags[0].split(".")
        for a in tags[1].split(".")
        for s in tags[2].split(".")
    ]
    wheel = "Wheel-Version: 1.0\n" + "".join(f"Tag: {tag}\n" for tag in expanded)
    return write_zip(
        folder / filename, make_wheel_files(files, metadata, f"{name}-{version}", wheel)
    )


def make_tar(fill: Callable[[tarfile.TarFile], None], pax: bool = True) -> bytes:
    buffer = io.BytesIO()
    form = tarfile.PAX_FORMAT if pax else tarfile.GNU_FORMAT
    with tarfile.open(fileobj=buffer, mode="w", format=form) as tar:
        fill(tar)
    return buffer.getvalue()


def make_member(
    name: str, data: bytes = b"", **fields: object
) -> tuple[tarfile.TarInfo, io.BytesIO]:
    header = tarfile.TarInfo(name)
    header.size = len(data)
    for key, value in fields.items():
        setattr(header, key, value)
    return header, io.BytesIO(data)


def write_sdist(
    folder: Path,
    *members: tuple[tarfile.TarInfo, io.BytesIO],
    filename: str = "my_package-1.0.0.tar.gz",
    metadata: str = METADATA,
) -> Path:
    """A sound sdist, further members appended."""
    stem = filename.removesuffix(".tar.gz")

    def fill(tar: tarfile.TarFile) -> None:
        for header, data in (make_member(f"{stem}/PKG-INFO", metadata.encode()), *members):
            tar.addfile(header, data)

    path = folder / filename
    path.write_bytes(gzip.compress(make_tar(fill), mtime=0))
    return path


def write_conda(
    folder: Path,
    package: CondaPackage | None = None,
    files: Mapping[str, bytes] | None = None,
    ending: str = ".conda",
    level: int = 0,
    threads: int = 0,
) -> Path:
    package = package or CondaPackage("my_package", "1.0.0", depends=["python >=3.9"])
    path = folder / f"{package.stem}{ending}"
    writer: CondaWriter | TarBz2Writer
    if ending == ".conda":
        writer = CondaWriter(path, package, level, threads)
    else:
        writer = TarBz2Writer(path, package)
    for name, data in (files or {"site-packages/my_package/__init__.py": b"answer = 42\n"}).items():
        writer.add(Entry(name), Content(data, hashlib.sha256(data).digest()))
    writer.close()
    return path


def compress_tar(*members: tuple[tarfile.TarInfo, io.BytesIO]) -> bytes:
    def fill(tar: tarfile.TarFile) -> None:
        for header, data in members:
            tar.addfile(header, data)

    return zstandard.ZstdCompressor().compress(make_tar(fill))


def write_raw_conda(
    folder: Path, info: bytes, pkg: bytes, meta: object = None, stem: str = STEM
) -> Path:
    """A `.conda` of two packed tars as they are given."""
    path = folder / f"{stem}.conda"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("metadata.json", json.dumps(meta or {"conda_pkg_format_version": 2}))
        archive.writestr(f"pkg-{stem}.tar.zst", pkg)
        archive.writestr(f"info-{stem}.tar.zst", info)
    return path
