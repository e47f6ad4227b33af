"""A built file (an artifact), its hashes, and an artifact in a channel.

Named tuples and not dataclasses, whose import takes as long as the checks of a small file.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime
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


class Artifact(NamedTuple):
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
    metadata: bytes
    build: str = ""
    build_number: int = 0
    subdir: str = ""
    tags: tuple[str, ...] = ()
    requires_python: str | None = None
    depends: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Artifact({self.filename!r}, {self.sha256!r})"

    @property
    def filename(self) -> str:
        """The file name without its folder."""
        return self.path.name


class Listing(NamedTuple):
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
