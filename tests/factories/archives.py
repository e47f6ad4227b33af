"""Archives of this repository's own making, unpacked on every Python."""

from __future__ import annotations

import tarfile
from pathlib import Path

from twofold.formats.tar_safety import extract_member


def extract_all(archive: tarfile.TarFile, folder: Path) -> None:
    """`extractall` with the data filter, which Python has from 3.11.4 on."""
    for member in archive:
        extract_member(archive, member, folder)
