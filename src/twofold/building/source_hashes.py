"""The hashes of the sources that went into what another backend built."""

from __future__ import annotations

import os

from twofold.formats.light.plain_archives import list_wheel_files, read_sdist_files
from twofold_build.archive import read_content

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    _Path = str | os.PathLike[str]


def is_wheel(name: str) -> bool:
    """Whether an artifact is a wheel, by its name."""
    return name.endswith(".whl")


def hash_sources(root: _Path, artifacts: Sequence[_Path]) -> dict[str, str]:
    """The hashes of the project's files that have a namesake in its sdist or wheel."""
    found: dict[str, str] = {}
    for artifact in [os.fspath(path) for path in artifacts]:
        if not artifact.endswith((".whl", ".gz")):
            continue
        for member in list_members(artifact):
            for path in (member, f"src/{member}"):
                source = os.path.join(root, path)
                if path not in found and os.path.isfile(source):
                    found[path] = hash_file(source)
    return found


def hash_file(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file; '' if there is none."""
    return read_content(path).sha256.hex() if os.path.isfile(path) else ""


def list_members(artifact: str) -> list[str]:
    """The paths of the files in a wheel, or in the folder of an sdist."""
    is_sdist = not is_wheel(artifact)
    plain = read_sdist_files(artifact) if is_sdist else list_wheel_files(artifact)
    if plain is not None:
        return [path.partition("/")[2] for path in plain] if is_sdist else list(plain)
    from pathlib import Path

    if not is_sdist:
        from twofold.formats.zip_archive import ZipArchive

        with ZipArchive(Path(artifact)) as archive:
            return [name for name, member in archive.members.items() if not member.is_folder]
    from twofold.formats.sdist import read_sdist

    return [path.partition("/")[2] for path in read_sdist(Path(artifact)).files]


def hash_members(artifact: Path) -> dict[str, str]:
    """Path -> SHA-256 of the files in a wheel (by its RECORD), or in the folder of an sdist."""
    if is_wheel(artifact.name):
        import csv
        import io
        import zipfile

        with zipfile.ZipFile(artifact) as archive:
            record = next(n for n in archive.namelist() if n.endswith(".dist-info/RECORD"))
            rows = csv.reader(io.StringIO(archive.read(record).decode()))
            return {path: _decode_hash(digest) for path, digest, *_ in rows}
    import hashlib
    import tarfile

    with tarfile.open(artifact) as archive:
        files = ((m, archive.extractfile(m)) for m in archive if m.isfile())
        return {
            member.name.partition("/")[2]: hashlib.sha256(file.read()).hexdigest()
            for member, file in files
            if file is not None
        }


def _decode_hash(digest: str) -> str:
    """RECORD's `sha256=` in URL-safe base64, as hexadecimal digits."""
    import base64

    text = digest.partition("sha256=")[2]
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
