"""What a process keeps of pages over a whole subdir: they grow with the channel, changes do not.

The list of shards is kept packed and brought up to date by what changed since; large pages of
JSON follow in the background (`following_pages`): whoever needs the newest package within a
second reads shards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from twofold.server.model import Page
from twofold.server.pages.page_refresh import BackgroundRenderer
from twofold.server.pages.page_updates import make_etag
from twofold.server.pages.shard_index_builder import ShardIndexBuilder
from twofold.server.store import Connection, pages

SubdirKey = tuple[int, str, str]


@dataclass
class _CachedIndex:
    serial: int = 0
    base_url: str = ""
    shards: ShardIndexBuilder = field(default_factory=ShardIndexBuilder)
    page: Page | None = None


@dataclass
class ShardIndexCache:
    """What this process keeps of whole-subdir pages."""

    renderer: BackgroundRenderer = field(default_factory=BackgroundRenderer)
    _lists: dict[SubdirKey, _CachedIndex] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get_shard_index(
        self, db: Connection, subdir: SubdirKey, serial: int, base_url: str = ""
    ) -> Page:
        """The shard index of (channel's id, label, subdir) as of `serial`.

        Every process makes the same bytes of the same records, so that an ETag is good at all.
        """
        with self._lock:
            kept = self._lists.setdefault(subdir, _CachedIndex())
            is_new = kept.serial >= serial and kept.base_url == base_url
            if kept.page is not None and is_new:
                return kept.page
            kept.shards.change(pages.list_changed_shards(db, *subdir, kept.serial))
            made_at = pages.get_newest_shard_time(db, *subdir)
            body = kept.shards.render(subdir[2], made_at, base_url or "./")
            kept.serial, kept.base_url = serial, base_url
            kept.page = Page(body, make_etag(body), serial)
            return kept.page
