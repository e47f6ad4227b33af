"""Pages over a whole subdir, kept in this process: they grow with the channel, changes do not.

The list of shards is kept as a mapping and brought up to date by what changed since. A large
repodata.json is rendered behind everybody's back, while the last one is still given out: whoever
needs the newest package within a second reads shards.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock, Thread

from twofold.server.model import Page
from twofold.server.pages import etag_of
from twofold.server.rendering import conda
from twofold.server.store import Connection, pages

log = logging.getLogger("twofold.server")

#: From this size on (bytes) a page is rendered in the background: some 5,000 packages.
LARGE = 256 << 10

Place = tuple[int, str, str]


@dataclass
class _Shards:
    serial: int = 0
    shards: dict[str, str] = field(default_factory=dict)
    page: Page | None = None


@dataclass
class WholePages:
    """What this process keeps of whole-subdir pages."""

    _lists: dict[Place, _Shards] = field(default_factory=dict)
    _under_way: set[tuple[int, str]] = field(default_factory=set)
    _lock: Lock = field(default_factory=Lock)

    def shard_index(self, db: Connection, place: Place, serial: int, at: datetime) -> Page:
        """The shard index of (channel's id, label, subdir) as of `serial`."""
        with self._lock:
            kept = self._lists.setdefault(place, _Shards())
            if kept.page is not None and kept.serial >= serial:
                return kept.page
            for name, sha256 in pages.shards_since(db, *place, kept.serial):
                if sha256:
                    kept.shards[name] = sha256
                else:
                    kept.shards.pop(name, None)
            body = conda.shard_index(place[2], kept.shards, at)
            kept.serial, kept.page = serial, Page(body, etag_of(body), serial)
            return kept.page

    def behind(self, key: tuple[int, str], render: Callable[[], object]) -> None:
        """Have a page rendered, waited for by a thread, unless that is being done."""
        with self._lock:
            if key in self._under_way:
                return
            self._under_way.add(key)

        def work() -> None:
            try:
                render()
            except Exception:
                log.exception("rendering %s failed; the last page stays", key[1])
            finally:
                with self._lock:
                    self._under_way.discard(key)

        Thread(target=work, daemon=True).start()
