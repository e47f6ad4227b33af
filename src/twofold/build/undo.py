"""Taking a build back: for a release that was not made, so that nobody publishes its files."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from twofold.build.channel import index_channel
from twofold.build.manifest import NAME

PACKAGES = (".whl", ".tar.gz", ".conda", ".tar.bz2")


@dataclass(frozen=True)
class Before:
    """What dist/ and conda-bld/ of a project held before a build."""

    root: Path
    packages: frozenset[Path]
    folders: tuple[Path, ...]
    manifest: bytes | None

    def restore(self) -> None:
        """Remove the packages that came since, and let the manifest name those of the build before.

        A file that was built again under its name stays as it is now.
        """
        for folder in _folders(self.root):
            if folder.is_dir() and folder not in self.folders:
                shutil.rmtree(folder)
        new = _packages(self.root) - self.packages
        for path in new:
            path.unlink()
        manifest = self.root / "dist" / NAME
        if self.manifest is not None:
            manifest.write_bytes(self.manifest)
        else:
            manifest.unlink(missing_ok=True)
        channel = self.root / "conda-bld"
        if any(path.is_relative_to(channel) for path in new):
            index_channel(str(channel), {})


def before_build(root: Path) -> Before:
    """Note what is there, for `restore`."""
    manifest = root / "dist" / NAME
    held = manifest.read_bytes() if manifest.is_file() else None
    there = tuple(folder for folder in _folders(root) if folder.is_dir())
    return Before(root, frozenset(_packages(root)), there, held)


def _folders(root: Path) -> list[Path]:
    return [root / "dist", root / "conda-bld"]


def _packages(root: Path) -> set[Path]:
    found = (path for folder in _folders(root) for path in folder.rglob("*"))
    return {path for path in found if path.name.endswith(PACKAGES) and path.is_file()}
