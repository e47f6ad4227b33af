"""A built file (an artifact), its hashes, and an artifact in a channel."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path


class Kind(StrEnum):
    """The four kinds of file twofold builds, as `--only` spells them."""

    SDIST = "sdist"
    WHEEL = "wheel"
    CONDA = "conda"
    TAR_BZ2 = "tar.bz2"

    @property
    def is_conda(self) -> bool:
        """Whether it is a conda package."""
        return self in (Kind.CONDA, Kind.TAR_BZ2)


@dataclass(frozen=True, slots=True)
class Artifact:
    """A built file with its own metadata (never what an upload form claims).

    `name` and `version` are written as in the metadata, not normalized. `metadata` is
    METADATA of a wheel, PKG-INFO of an sdist, info/index.json of a conda package, as the
    file holds it. `depends` are PEP 508 requirements, or MatchSpecs of a conda package.
    `tags` are a wheel's, expanded and sorted (`py3-none-any`). `build` is the conda build
    string or the wheel's build tag. `size` is in bytes; hashes are lower-case hex.
    """

    path: Path
    kind: Kind
    name: str
    version: str
    size: int
    sha256: str
    md5: str
    metadata: bytes = field(repr=False)
    build: str = ""
    build_number: int = 0
    subdir: str = ""
    tags: tuple[str, ...] = ()
    requires_python: str | None = None
    depends: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """The file name without its folder."""
        return self.path.name


@dataclass(frozen=True, slots=True)
class Listing:
    """An artifact in a channel, as the pages of an index show it.

    `url` is relative to the page or absolute. `uploaded_at` is aware, in UTC. `yanked` is
    the reason ('' when none was given), None when the file is not yanked. `provenance` is
    the address of a PEP 740 provenance object.
    """

    artifact: Artifact
    url: str
    uploaded_at: datetime
    yanked: str | None = None
    labels: frozenset[str] = frozenset({"main"})
    provenance: str | None = None


def compute_hashes(data: bytes) -> tuple[int, str, str]:
    """Return size, SHA-256 and MD5 (lower-case hex) of bytes in memory."""
    md5 = hashlib.md5(data, usedforsecurity=False)
    return len(data), hashlib.sha256(data).hexdigest(), md5.hexdigest()


def compute_file_hashes(path: Path) -> tuple[int, str, str]:
    """Return size in bytes, SHA-256 and MD5 (lower-case hex) of a file, in one pass."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            md5.update(block)
            size += len(block)
    return size, sha256.hexdigest(), md5.hexdigest()
