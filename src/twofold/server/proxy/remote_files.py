"""Files listed by an upstream, with their hashes; cached as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

#: File names that the registry itself accepts.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!~-]{0,250}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class RemoteFile:
    """A file of an upstream. `entry` is its entry in the page: PEP 691's, or a record."""

    filename: str
    sha256: str
    url: str
    entry: dict[str, Any] = field(default_factory=dict)

    @property
    def is_sound(self) -> bool:
        """Whether it has a safe name and a hash; without a hash it cannot be pinned."""
        plain = _NAME.fullmatch(self.filename) and ".." not in self.filename
        return bool(plain and _SHA256.fullmatch(self.sha256))


@dataclass(frozen=True)
class RemoteProject:
    """The files of an upstream under one key; of a project also its status (PEP 792).

    `unusable` are the names of which it lists files, and none that can be served: the upstream has
    them, so that no later one is asked. `fresh_until` is when the upstream is to be asked again.
    """

    files: tuple[RemoteFile, ...] = ()
    status: str = ""
    status_reason: str = ""
    unusable: tuple[str, ...] = ()
    fresh_until: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class ListResponse:
    """The response of an upstream: a project, or `unchanged`."""

    project: RemoteProject = field(default_factory=RemoteProject)
    validator: str = ""
    unchanged: bool = False


def serialize(project: RemoteProject) -> bytes:
    """Serialize a project as JSON for the cache."""
    value = asdict(project)
    del value["fresh_until"]
    if not project.unusable:
        del value["unusable"]
    return json.dumps(value, separators=(",", ":")).encode()


def deserialize(body: bytes) -> RemoteProject:
    """Parse a project from the cache; before 0.2 it was the list of its files."""
    value = json.loads(body)
    value = value if isinstance(value, dict) else {"files": value}
    files = tuple(RemoteFile(**file) for file in value.pop("files"))
    return RemoteProject(files, unusable=tuple(value.pop("unusable", ())), **value)
