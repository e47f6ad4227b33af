"""In-process cache of shard indexes, patched with the shards that changed.

A shard index grows with its channel, the cost of a change does not. Large JSON pages are rendered
in the background (`page_refresh`): clients that need the newest package within a second read
shards.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

import msgpack

from twofold.formats.light import zstd
from twofold.server.model import Page
from twofold.server.pages.page_refresh import BackgroundRenderer
from twofold.server.pages.page_updates import make_etag
from twofold.server.store import Connection, pages

#: Names in a bucket: packing this many takes a fraction of a millisecond.
BUCKET_SIZE = 512

#: zstandard's level. Hashes do not compress and names are few bytes: level 7 saves 2 % more and
#: takes six times as long.
LEVEL = 1


class ShardIndexBuilder:
    """Package name -> SHA-256 (hex) of its shard, kept packed. Not thread-safe."""

    def __init__(self) -> None:
        self._firsts: list[str] = []  # the first name of each bucket when it was made
        self._buckets: list[bytes] = []  # each a packed map, sorted by name
        self._counts: list[int] = []

    def __len__(self) -> int:
        return sum(self._counts)

    def change(self, changes: Iterable[tuple[str, str]]) -> None:
        """Set (name, sha256) pairs; '' as sha256 removes the name."""
        touched: dict[int, dict[str, str]] = {}
        for name, sha256 in changes:
            touched.setdefault(max(0, bisect_right(self._firsts, name) - 1), {})[name] = sha256
        for place in sorted(touched, reverse=True):
            self._repack(place, touched[place])

    def _repack(self, place: int, changes: dict[str, str]) -> None:
        bucket = self._buckets[place : place + 1]
        hashes: dict[str, bytes] = msgpack.unpackb(bucket[0]) if bucket else {}
        for name, sha256 in changes.items():
            if sha256:
                hashes[name] = bytes.fromhex(sha256)
            else:
                hashes.pop(name, None)
        pieces = list(_split_buckets(sorted(hashes.items())))
        self._firsts[place : place + 1] = [piece[0][0] for piece in pieces]
        self._counts[place : place + 1] = [len(piece) for piece in pieces]
        self._buckets[place : place + 1] = [msgpack.packb(dict(piece)) for piece in pieces]

    def render(self, subdir: str, created_at: datetime | None, base_url: str = "./") -> bytes:
        """Return `repodata_shards.msgpack.zst`, equal to that of `index.repodata`."""
        info = {"subdir": subdir, "base_url": base_url, "shards_base_url": "./shards/"}
        if created_at is not None:
            info["created_at"] = created_at.strftime("%Y-%m-%dT%H:%M:%SZ")
        packer = msgpack.Packer()
        parts = [packer.pack_map_header(3)]
        parts += [packer.pack(word) for word in ("version", 1, "info", info, "shards")]
        parts.append(packer.pack_map_header(len(self)))
        for count, bucket in zip(self._counts, self._buckets, strict=True):
            parts.append(bucket[len(packer.pack_map_header(count)) :])
        return zstd.compress(b"".join(parts), LEVEL)


def _split_buckets(items: list[tuple[str, bytes]]) -> Iterator[list[tuple[str, bytes]]]:
    """Split items into buckets that have room to grow."""
    if len(items) <= 2 * BUCKET_SIZE:
        if items:
            yield items
        return
    for start in range(0, len(items), BUCKET_SIZE):
        yield items[start : start + BUCKET_SIZE]


SubdirKey = tuple[int, str, str]


@dataclass
class _CachedIndex:
    serial: int = 0
    base_url: str = ""
    shards: ShardIndexBuilder = field(default_factory=ShardIndexBuilder)
    page: Page | None = None


@dataclass
class ShardIndexCache:
    """The shard indexes cached by this process."""

    renderer: BackgroundRenderer = field(default_factory=BackgroundRenderer)
    _lists: dict[SubdirKey, _CachedIndex] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def get_shard_index(
        self, db: Connection, subdir: SubdirKey, serial: int, base_url: str = ""
    ) -> Page:
        """Return the shard index of (channel id, label, subdir) as of `serial`.

        The bytes depend only on the records, so ETags agree across processes.
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
