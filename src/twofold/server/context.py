"""What every operation of the registry works on: `Registry`, and `Transaction` on one channel.

`Registry(database, blobs, spool)` is the one value that the web holds. Its `transaction` checks the
actor's permission, locks the channel, and requests large pages to be rendered after the commit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from twofold.errors import Refused
from twofold.server.auth import permissions
from twofold.server.model import Action, Actor, Channel, Project, StoredFile, now
from twofold.server.pages import page_updates
from twofold.server.pages.page_cache import ShardIndexCache
from twofold.server.store import Blobs, Connection, Database, audit, channels

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


@dataclass(frozen=True)
class Registry:
    """What lasts (database, blobs) and where uploads wait (spool, on the local disk).

    `trust_roots` are the certificates (of cryptography.x509) that attestations must stand under.
    """

    database: Database
    blobs: Blobs
    spool: Path
    clock: Callable[[], datetime] = field(default=now)
    shard_index_cache: ShardIndexCache = field(default_factory=ShardIndexCache, compare=False)
    proxied_channels: ProxiedChannels = field(default_factory=ProxiedChannels, compare=False)
    trust_roots: tuple[Any, ...] = ()

    @contextmanager
    def transaction(
        self, actor: Actor, channel: str, action: Action, project: str | None = None
    ) -> Iterator[Transaction]:
        """One transaction over a channel by an actor who may do this; writers take turns."""
        with self.database.write() as db:
            asked = require_channel(db, actor, channel, action, project)
            found = channels.lock_channel(db, asked.id)
            permissions.require(db, actor, action, found, project)  # the right may be gone by now
            change = Transaction(self, db, actor, found, found.serial, self.clock())
            yield change
        if change.places:
            self.shard_index_cache.renderer.request_large(
                self.database, change.channel, change.places
            )

    def authorized_read(
        self, db: Connection, actor: Actor, channel: str, action: Action = Action.READ
    ) -> Channel:
        """The channel, for an actor who may look at it."""
        return require_channel(db, actor, channel, action)


def require_channel(
    db: Connection, actor: Actor, channel: str, action: Action, project: str | None = None
) -> Channel:
    """The channel by its name, if it is there and the actor may do this. Raises Refused."""
    found = channels.find_channel(db, channel)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{channel[:100]}'", status=404)
    permissions.require(db, actor, action, found, project)
    return found


def not_found(what: str) -> Refused:
    """Return the error (404) for something that does not exist."""
    return Refused("not-found", f"There is no {what}", status=404)


@dataclass(frozen=True)
class Transaction:
    """A change under way: one transaction, one serial, one moment.

    `places` are the (label, subdir) of the conda side that it touched so far.
    """

    registry: Registry
    db: Connection
    actor: Actor
    channel: Channel
    serial: int
    at: datetime
    places: set[tuple[str, str]] = field(default_factory=set)

    def audit(self, action: str, subject: str, **detail: object) -> None:
        """Put a line into the audit log."""
        name = self.actor.name
        change = audit.AuditEntry(self.at, name, action, self.channel.name, subject, detail)
        audit.add_entry(self.db, change)

    def rerender(self, project: Project, *changed: StoredFile, labels: Iterable[str] = ()) -> None:
        """Render anew what shows these files; `labels` are labels they no longer have."""
        if not changed or any(not file.kind.is_conda for file in changed):
            gone = {page_updates.index_label(label) for label in labels}
            page_updates.render_project(self.db, self.channel, project, self.serial, gone)
        self.rerender_conda(*changed, labels=labels)

    def rerender_conda(self, *changed: StoredFile, labels: Iterable[str] = ()) -> None:
        """Render anew the shards of these files alone."""
        places = page_updates.render_shards(
            self.db, self.channel, changed, self.serial, self.at, labels
        )
        self.places.update(places)
