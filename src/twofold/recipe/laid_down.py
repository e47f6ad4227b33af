"""Packages written to a channel: a wheel's files under a description, or no files at all."""

from __future__ import annotations

from pathlib import Path

from twofold.artifact import Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.wheel_to_conda import PackageWriter, lay_down, licences_of, timestamp_of
from twofold.formats.conda import CondaWriter
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold.formats.wheel import WheelFile


def write_package(wheel: WheelFile, package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write the wheel's files as the package describes them; returns the file."""
    package.timestamp = package.timestamp or timestamp_of(wheel)
    if not any(path.startswith("licenses/") for path in package.info_files):
        package.info_files |= licences_of(wheel)
    writer, path = _writer(package, channel, kind)
    lay_down(wheel, package, writer)
    return path


def write_empty(package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write a package without files; returns the file."""
    writer, path = _writer(package, channel, kind)
    writer.close()
    return path


def _writer(package: CondaPackage, channel: Path, kind: Kind) -> tuple[PackageWriter, Path]:
    path = channel / package.subdir / f"{package.stem}.{kind.value}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return (TarBz2Writer if kind is Kind.TAR_BZ2 else CondaWriter)(path, package), path
