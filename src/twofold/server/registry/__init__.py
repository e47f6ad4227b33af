"""The registry's verbs: publish, yank, delete, label, list. No HTTP, no SQL.

`Registry(database, blobs, spool)` is the one value the web holds; its parts are

    publishing.publish(registry, actor, channel, Upload)    -> Published
    changing.yank / unyank / delete / delete_project / set_status
    changing.describe_project / describe_release      what people are told of them
    labelling.label / unlabel / copy_label / remove_label / lock_label / labels / labelled
    labelling.promote(registry, actor, Promotion)      to another label or channel, no bytes moved
    staging.announce / receive / commit                an upload in three requests
    looking.channel / project / projects / files_of / by_name / file
    looking.simple_page / simple_index (View: actor, channel, label)
    conda_pages.repodata / shard / channeldata
    people.identify / log_in / issue_token / give_token / tokens_of / revoke
    people.add_user / add_channel

Every verb takes the actor first, asks `access` for the right, changes records in one transaction
(`Registry.changing`), re-renders the pages that the change touches in that transaction, and notes
it in the audit log. A verb raises Refused (with `code` and HTTP-like `status`) and nothing else
that the caller is to blame for. All verbs are synchronous; the web calls them in a thread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from twofold.errors import Refused
from twofold.server.auth import permissions
from twofold.server.clock import now
from twofold.server.model import Action, Actor, Channel, Project, StoredFile
from twofold.server.pages import page_updates
from twofold.server.pages.page_cache import ShardIndexCache
from twofold.server.proxy.proxied_channels import ProxiedChannels
from twofold.server.store import Blobs, Connection, Database, audit, channels


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
