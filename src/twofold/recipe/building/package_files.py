"""Packages written to a channel: a wheel's files under a description, or no files at all."""

from __future__ import annotations

from pathlib import Path

from twofold.artifact import Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.wheel import FileWriter, newest_timestamp, write_wheel_files
from twofold.formats.conda_writer import CondaWriter
from twofold.formats.tar_bz2 import TarBz2Writer
from twofold.formats.wheel import WheelFile


def write_package(wheel: WheelFile, package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write the wheel's files as the package describes them; returns the file."""
    package.timestamp = package.timestamp or newest_timestamp(wheel)
    writer, path = _open_writer(package, channel, kind)
    write_wheel_files(wheel, package, writer)
    return path


def write_empty(package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write a package without files; returns the file."""
    writer, path = _open_writer(package, channel, kind)
    writer.close()
    return path


def _open_writer(package: CondaPackage, channel: Path, kind: Kind) -> tuple[FileWriter, Path]:
    path = channel / package.subdir / f"{package.stem}.{kind.value}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return (TarBz2Writer if kind is Kind.TAR_BZ2 else CondaWriter)(path, package), path
