"""Bring a file from the upstream: fetched when asked for, checked, and published like any upload.

Only what is pinned is fetched, and only what has the pinned hash is taken.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

from twofold.errors import Refused
from twofold.server.gates import Claims
from twofold.server.model import Action, Actor, Channel
from twofold.server.registry import Registry, hearing, reachable
from twofold.server.registry.hearing import CONDA, PYPI
from twofold.server.registry.privacy import is_private
from twofold.server.registry.publishing import Upload, publish
from twofold.server.store import audit, files, people, upstreams
from twofold.server.store.upstreams import Pin, Upstream
from twofold.server.upstreams.http import fetch_file

#: The largest file that is fetched (bytes).
LARGEST = 4 << 30


@dataclass(frozen=True)
class Wanted:
    """A file of a channel that the upstream may have. `subdir` is '' on the PyPI side."""

    channel: str
    subdir: str
    filename: str
    sha256: str | None = None

    @property
    def kind(self) -> str:
        return CONDA if self.subdir else PYPI

    @property
    def name(self) -> str:
        """The project's or package's name in the file name."""
        if self.kind == CONDA:
            return self.filename.rsplit("-", 2)[0]
        is_wheel = self.filename.endswith(".whl")
        return self.filename.split("-")[0] if is_wheel else self.filename.rpartition("-")[0]


@dataclass(frozen=True)
class Offered:
    """A wanted file that is not here and that the upstream has: pinned, and not private."""

    channel: Channel
    upstream: Upstream
    pin: Pin
    owner: Actor


def bring(registry: Registry, actor: Actor, wanted: Wanted) -> bool:
    """Fetch a file that is pinned and not here, and publish it. True when it was fetched.

    Nothing happens for a file that is here, was deleted, is not pinned, or whose name is private.
    Raises Unreachable, and Refused (502) when what came is not what was first seen.
    """
    found = offered(registry, actor, wanted)
    if found is not None:
        fetch_and_publish(registry, found)
    return found is not None


def offered(registry: Registry, actor: Actor, wanted: Wanted) -> Offered | None:
    """The pin of a file that may be fetched; None when it may not, or need not be."""
    if not stands(registry, wanted.channel, wanted.kind):
        return None
    found = _pinned(registry, actor, wanted)
    if isinstance(found, Offered) or found is None or wanted.kind == PYPI:
        return found if isinstance(found, Offered) else None
    # A client may know the package from a shard that it has had for long: look it up once.
    channel, upstream = found
    listed = hearing.shard_list(registry, upstream, wanted.subdir)
    if listed is None or wanted.name not in listed[0].shards:
        return None
    hearing.shard_of(registry, channel, upstream, listed[0], (wanted.subdir, wanted.name))
    again = _pinned(registry, actor, wanted)
    return again if isinstance(again, Offered) else None


def _pinned(
    registry: Registry, actor: Actor, wanted: Wanted
) -> Offered | tuple[Channel, Upstream] | None:
    """The offer; or, for a file without a pin, whom to ask; or None for one not to be fetched."""
    with registry.database.read() as db:
        channel = reachable(db, actor, wanted.channel, Action.READ)
        upstream = upstreams.upstream_of(db, channel.id, wanted.kind)
        if upstream is None:
            return None
        if files.file_named(db, channel.id, wanted.subdir, wanted.filename) is not None:
            return None
        if is_private(db, channel, upstream, wanted.name):
            return None
        pin = upstreams.pin_of(db, channel.id, wanted.subdir, wanted.filename)
        if pin is None:
            return channel, upstream
        if pin.kind != wanted.kind or wanted.sha256 not in (None, pin.sha256):
            return None
        owner = people.user_by_id(db, channel.owner_id)
    return Offered(channel, upstream, pin, Actor(owner))


def stands(registry: Registry, channel: str, kind: str) -> bool:
    """Whether the channel stands in front of something; most do not, and pay nothing for it."""

    def read() -> list[tuple[str, str]]:
        with registry.database.read() as db:
            return [(name, one.kind) for name, one in upstreams.all_upstreams(db)]

    return (channel, kind) in registry.fronts.known(read)


def fetch_and_publish(registry: Registry, found: Offered) -> None:
    channel, pin = found.channel, found.pin
    registry.spool.mkdir(parents=True, exist_ok=True)
    path = registry.spool / f"fetched-{os.urandom(12).hex()}"
    try:
        fetch_file(hearing.source_of(found.upstream), pin.url, path, LARGEST)
        _demand_pinned(registry, channel, pin, path)
        with registry.database.write() as db:
            upstreams.change_pin(db, channel.id, pin, wanted=True)
            note = audit.Change(registry.clock(), "upstream", "fetch", channel.name, pin.filename)
            audit.note_change(db, replace(note, detail={"url": pin.url, "sha256": pin.sha256}))
        claims = Claims(subdir=pin.subdir, digests={"sha256": pin.sha256})
        upload = Upload(path, pin.filename, claims, is_fetched=True)
        publish(registry, found.owner, channel.name, upload)
    except Refused as error:
        if error.status == 502:
            raise
        reason = error.problems[0].message
        text = f"What the upstream has as {pin.filename} is not taken: {reason}"
        raise Refused("upstream-refused", text, status=502) from error
    finally:
        path.unlink(missing_ok=True)


def _demand_pinned(registry: Registry, channel: Channel, pin: Pin, path: Path) -> None:
    with path.open("rb") as fetched:
        actual = hashlib.file_digest(fetched, "sha256").hexdigest()
    if actual == pin.sha256:
        return
    with registry.database.write() as db:
        hearing.report(registry, db, channel, pin, actual)
    raise Refused(
        "upstream-changed",
        f"The upstream's {pin.filename} has changed since it was first seen "
        f"({actual[:16]}..., first seen {pin.sha256[:16]}...)",
        "nothing was taken; ask its author, and see 'twofold admin log'",
        502,
    )
