"""Which channels have an upstream, known without asking the database for every page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

#: Seconds until another process's change is seen.
MAX_AGE = 2.0


@dataclass
class ProxiedChannels:
    """(channel, kind) pairs, read again when they are old; the lists of shards last given out, by
    (channel's id, subdir).
    """

    shard_indexes: dict[tuple[int, str], Any] = field(default_factory=dict)
    _known: frozenset[tuple[str, str]] = frozenset()
    _read_at: float = float("-inf")

    def get_all(self, read: Callable[[], Iterable[tuple[str, str]]]) -> frozenset[tuple[str, str]]:
        if time.monotonic() - self._read_at > MAX_AGE:
            self._known = frozenset(read())
            self._read_at = time.monotonic()
        return self._known

    def invalidate(self) -> None:
        self._read_at = float("-inf")
