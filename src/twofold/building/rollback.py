"""Undo a build: for a release that was not made, so that nobody publishes its files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from twofold.building.conda_outputs import index_channel
from twofold.building.options import MANIFEST_NAME

PACKAGES = (".whl", ".tar.gz", ".conda", ".tar.bz2")


@dataclass(frozen=True)
class BuildSnapshot:
    """What dist/ and conda-bld/ of a project held before a build."""

    root: Path
    packages: frozenset[Path]
    folders: tuple[Path, ...]
    manifest: bytes | None

    def restore(self) -> None:
        """Remove the packages that came since, and let the manifest name those of the build before.

        A file that was built again under its name stays as it is now.
        """
        for folder in _output_folders(self.root):
            if folder.is_dir() and folder not in self.folders:
                shutil.rmtree(folder)
        new = _find_packages(self.root) - self.packages
        for path in new:
            path.unlink()
        manifest = self.root / "dist" / MANIFEST_NAME
        if self.manifest is not None:
            manifest.write_bytes(self.manifest)
        else:
            manifest.unlink(missing_ok=True)
        channel = self.root / "conda-bld"
        if any(path.is_relative_to(channel) for path in new):
            index_channel(str(channel), {})


def take_snapshot(root: Path) -> BuildSnapshot:
    """Note what is there, for `restore`."""
    manifest = root / "dist" / MANIFEST_NAME
    held = manifest.read_bytes() if manifest.is_file() else None
    there = tuple(folder for folder in _output_folders(root) if folder.is_dir())
    return BuildSnapshot(root, frozenset(_find_packages(root)), there, held)


def _output_folders(root: Path) -> list[Path]:
    return [root / "dist", root / "conda-bld"]


def _find_packages(root: Path) -> set[Path]:
    found = (path for folder in _output_folders(root) for path in folder.rglob("*"))
    return {path for path in found if path.name.endswith(PACKAGES) and path.is_file()}
