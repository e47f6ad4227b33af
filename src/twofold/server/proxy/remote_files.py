"""Files listed by an upstream, with their hashes; cached as JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
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
class ListResponse:
    """The response of an upstream: files, or `unchanged`."""

    files: tuple[RemoteFile, ...] = ()
    validator: str = ""
    unchanged: bool = False


def serialize(files: Iterable[RemoteFile]) -> bytes:
    """Serialize files as JSON for the cache."""
    return json.dumps([asdict(file) for file in files], separators=(",", ":")).encode()


def deserialize(body: bytes) -> list[RemoteFile]:
    """Parse files from the cache."""
    return [RemoteFile(**value) for value in json.loads(body)]
