"""What all operations work on: `Registry`, and `Transaction` on one channel.

`Registry(database, blobs, spool)` is the one value that the web holds. Its `transaction` checks the
actor's permission, locks the channel, and requests large pages to be rendered after the commit.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

from twofold.errors import Refused
from twofold.server.admission.vulnerabilities import AdvisoryCache
from twofold.server.auth import permissions
from twofold.server.auth.token_uses import TokenUses
from twofold.server.channel_events import queue_event
from twofold.server.model import Action, Actor, Channel, Project, StoredFile, now
from twofold.server.pages import listing_updates, page_insertions, page_updates
from twofold.server.pages.description_renderer import DescriptionRenderer
from twofold.server.pages.page_cache import ShardIndexCache
from twofold.server.pages.page_refresh import find_large_pages
from twofold.server.spool_lock import SpoolLock
from twofold.server.store import Blobs, Connection, Database, audit, channels
from twofold.server.store.downloads import Downloads
from twofold.server.store.numbers.counter import DownloadCounter

log = logging.getLogger("twofold.server")

#: Seconds after which a change by another process is visible.
MAX_AGE = 2.0


@dataclass
class ProxiedChannels:
    """The (channel, kind) pairs with an upstream, cached so that pages need no query for them.

    `shard_indexes` holds the merged indexes served last, by (channel id, subdir); `downloads` the
    files on their way (`store.downloads`); `offers` what addresses named (`proxy.offers`);
    `advisories` the databases that policies name; `reads_parts` whether METADATA is read by parts
    of wheels (for a resolver, and not for clients); `rounds` when a channel's fetched projects were
    last revalidated, by its id; `offer_rounds` when a round over what it offers by metadata began,
    `noted_names` what pip asked for, and `lazy_indexes` the indexes of those served last
    (`proxy.offer_list`, `proxy.lazy`); `wheel_shards` those of `/v3`, by (channel id, label,
    subdir).
    """

    shard_indexes: dict[tuple[int, str], Any] = field(default_factory=dict)
    downloads: Downloads = field(default_factory=Downloads)
    offers: dict[Any, Any] = field(default_factory=dict)
    offers_lock: Lock = field(default_factory=Lock)
    reads_parts: bool = False
    advisories: AdvisoryCache = field(default_factory=AdvisoryCache)
    rounds: dict[int, datetime] = field(default_factory=dict)
    offer_rounds: dict[int, datetime] = field(default_factory=dict)
    noted_names: set[tuple[int, str]] = field(default_factory=set)
    lazy_indexes: dict[tuple[int, str], Any] = field(default_factory=dict)
    wheel_shards: dict[tuple[int, str, str], Any] = field(default_factory=dict)
    _known: frozenset[tuple[str, str]] = frozenset()
    _read_at: float = float("-inf")

    def get_all(self, read: Callable[[], Iterable[tuple[str, str]]]) -> frozenset[tuple[str, str]]:
        """Return the pairs; `read` queries them once they are too old."""
        if time.monotonic() - self._read_at > MAX_AGE:
            self._known = frozenset(read())
            self._read_at = time.monotonic()
        return self._known

    def may_be_proxied(self, channel: str) -> bool:
        """Whether the channel had an upstream when that was read last; True before that."""
        if self._read_at == float("-inf"):
            return True
        return any(name == channel for name, _ in self._known)

    def invalidate(self) -> None:
        """Query the pairs again at the next call."""
        self._read_at = float("-inf")


class BackgroundJobs:
    """Runs jobs one after the other in a thread that ends when there are none."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._jobs: list[Callable[[], None]] = []
        self._is_running = False

    def submit(self, job: Callable[[], None]) -> None:
        """Run a job soon. It handles its errors; the process may end before it."""
        with self._lock:
            self._jobs.append(job)
            if self._is_running:
                return
            self._is_running = True
        Thread(target=self._work, daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._jobs:
                    self._is_running = False
                    return
                job = self._jobs.pop(0)
            try:
                job()
            except Exception:  # a defect in one job must not hold up the others
                log.exception("a job in the background failed")


@dataclass(frozen=True)
class Registry:
    """The database and object store of a registry, and the local spool folder for uploads.

    `trust_roots` are the certificates (cryptography.x509) under which attestations are signed,
    `webhook_hosts` the hosts with an internal address that webhooks may have.
    Every process that uses the spool holds its `spool_lock`.
    """

    database: Database
    blobs: Blobs
    spool: Path
    clock: Callable[[], datetime] = field(default=now)
    shard_index_cache: ShardIndexCache = field(default_factory=ShardIndexCache, compare=False)
    description_renderer: DescriptionRenderer = field(
        default_factory=DescriptionRenderer, compare=False
    )
    proxied_channels: ProxiedChannels = field(default_factory=ProxiedChannels, compare=False)
    background: BackgroundJobs = field(default_factory=BackgroundJobs, compare=False)
    download_counter: DownloadCounter = field(default_factory=DownloadCounter, compare=False)
    trust_roots: tuple[Any, ...] = ()
    token_uses: TokenUses = field(default_factory=TokenUses, compare=False)

    spool_lock: SpoolLock | None = field(default=None, compare=False)
    webhook_hosts: frozenset[str] = frozenset()
    webhook_wakeup: Event = field(default_factory=Event, compare=False)

    def note_token_use(self, token_id: int, was_used: bool) -> None:
        """Note that a token is used; uses are written in the background when it is time."""
        if self.token_uses.note(token_id, self.clock(), was_used):
            self.background.submit(lambda: self.token_uses.write(self.database))

    @contextmanager
    def transaction(
        self, actor: Actor, channel: str, action: Action, project: str | None = None
    ) -> Iterator[Transaction]:
        """Open a write transaction on a channel after checking the actor's permission."""
        with self.database.write() as db:
            requested = require_channel(db, actor, channel, action, project)
            found = channels.lock_channel(db, requested.id)
            permissions.require(db, actor, action, found, project)  # may have been revoked
            change = Transaction(self, db, actor, found, found.serial, self.clock())
            yield change
            large = find_large_pages(db, change.channel, change.places)
        for page in large:
            self.shard_index_cache.renderer.request_render(self.database, page)


def require_channel(
    db: Connection, actor: Actor, channel: str, action: Action, project: str | None = None
) -> Channel:
    """Return the channel named so if the actor has this permission. Raises Refused.

    A channel that the actor may not know of is refused like one that does not exist: 401 for
    anonymous callers, whose clients then send a login, and else 404.
    """
    found = channels.find_channel(db, channel)
    if found is None or not permissions.may_know(db, actor, found):
        if actor.user is None and not actor.operator and channels.has_private(db):
            raise Refused(
                "no-token",
                f"Channel '{channel[:100]}' needs a token, or does not exist",
                permissions.TOKEN_HINT,
                401,
            )
        raise Refused("no-channel", f"There is no channel '{channel[:100]}'", status=404)
    permissions.require(db, actor, action, found, project)
    return found


def not_found(what: str) -> Refused:
    """Return the error (404) for something that does not exist."""
    return Refused("not-found", f"There is no {what}", status=404)


@dataclass(frozen=True)
class Transaction:
    """An open write transaction on one channel, with one serial and one time.

    `places` are the (label, subdir) pairs of the conda side changed so far.
    """

    registry: Registry
    db: Connection
    actor: Actor
    channel: Channel
    serial: int
    at: datetime
    places: set[tuple[str, str]] = field(default_factory=set)

    def audit(self, action: str, subject: str, **detail: object) -> None:
        """Add an entry to the audit log."""
        name = self.actor.name
        change = audit.AuditEntry(self.at, name, action, self.channel.name, subject, detail)
        audit.add_entry(self.db, change)
        if queue_event(self.db, self.channel.id, change):
            self.registry.webhook_wakeup.set()  # a sender that is too early looks again soon

    def rerender(self, project: Project, *changed: StoredFile, labels: Iterable[str] = ()) -> None:
        """Re-render the pages that list these files; `labels` are labels removed from them."""
        if not changed or any(not file.kind.is_conda for file in changed):
            gone = {page_updates.index_label(label) for label in labels}
            page_updates.render_project(self.db, self.channel, project, self.serial, gone)
        self.rerender_conda(*changed, labels=labels)
        self.update_listing(project)

    def update_listing(self, project: Project) -> None:
        """Update what lists and searches show of a project."""
        listing_updates.update_listing(self.db, self.channel.id, project.id)

    def add_to_pages(self, project: Project, *added: StoredFile) -> None:
        """Add new files of a project to the pages that list them."""
        args = (self.db, self.channel, project, added, self.serial, self.at)
        self.places.update(page_insertions.add_files(*args))
        listing_updates.update_listing(self.db, self.channel.id, project.id, added)

    def rerender_conda(self, *changed: StoredFile, labels: Iterable[str] = ()) -> None:
        """Re-render the shards of these files only."""
        places = page_updates.render_shards(
            self.db, self.channel, changed, self.serial, self.at, labels
        )
        self.places.update(places)
