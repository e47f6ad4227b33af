"""What a process keeps of pages over a whole subdir: they grow with the channel, changes do not.

The list of shards is kept packed and brought up to date by what changed since; large pages of
JSON follow in the background (`following_pages`): whoever needs the newest package within a
second reads shards.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock

from twofold.server.model import Page
from twofold.server.pages import etag_of
from twofold.server.registry.following_pages import Followers
from twofold.server.rendering.shard_list import ShardList
from twofold.server.store import Connection, pages

Place = tuple[int, str, str]


@dataclass
class _Kept:
    serial: int = 0
    base_url: str = ""
    shards: ShardList = field(default_factory=ShardList)
    page: Page | None = None


@dataclass
class WholePages:
    """What this process keeps of whole-subdir pages."""

    followers: Followers = field(default_factory=Followers)
    _lists: dict[Place, _Kept] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def shard_index(self, db: Connection, place: Place, serial: int, base_url: str = "") -> Page:
        """The shard index of (channel's id, label, subdir) as of `serial`.

        Every process makes the same bytes of the same records, so that an ETag is good at all.
        """
        with self._lock:
            kept = self._lists.setdefault(place, _Kept())
            is_new = kept.serial >= serial and kept.base_url == base_url
            if kept.page is not None and is_new:
                return kept.page
            kept.shards.change(pages.shards_since(db, *place, kept.serial))
            made_at = pages.newest_shard_at(db, *place)
            body = kept.shards.page(place[2], made_at, base_url or "./")
            kept.serial, kept.base_url = serial, base_url
            kept.page = Page(body, etag_of(body), serial)
            return kept.page
