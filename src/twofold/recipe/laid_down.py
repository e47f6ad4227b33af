"""Packages written to a channel: a wheel's files under a description, or no files at all."""

from __future__ import annotations

from pathlib import Path

from twofold.artifact import Kind
from twofold.conda_metadata import CondaPackage
from twofold.convert.layout import Layout
from twofold.convert.platforms import abi_of
from twofold.convert.wheel_to_conda import _Copy, _licences, _timestamp, _write_scripts
from twofold.formats.conda import CondaWriter
from twofold.formats.wheel import WheelFile
from twofold.names import normalised


def lay_down(wheel: WheelFile, package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write the wheel's files as the package describes them; returns the file."""
    package.timestamp = package.timestamp or _timestamp(wheel)
    if not any(path.startswith("licenses/") for path in package.info_files):
        package.info_files |= _licences(wheel)
    abi = abi_of(wheel.name.tags)
    if package.subdir.startswith("win-") and package.entry_points:
        # conda's installers make the .exe of an entry point for noarch python alone (CEP 20).
        package.noarch = "python"
    layout = Layout(package, abi, normalised(wheel.metadata.name))
    writer, path = _writer(package, channel, kind)
    try:
        _Copy(wheel, writer, layout).run()
        if not package.noarch:
            _write_scripts(package, writer, layout)
        writer.close()
    except BaseException:
        writer.abort()
        raise
    return path


def lay_down_empty(package: CondaPackage, channel: Path, kind: Kind) -> Path:
    """Write a package without files; returns the file."""
    writer, path = _writer(package, channel, kind)
    writer.close()
    return path


def _writer(package: CondaPackage, channel: Path, kind: Kind) -> tuple[CondaWriter, Path]:
    path = channel / package.subdir / f"{package.stem}.{kind.value}"
    path.parent.mkdir(parents=True, exist_ok=True)
    return CondaWriter(path, package), path
