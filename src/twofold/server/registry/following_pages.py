"""Large pages follow: rendered behind everybody's back while the last one is still given out.

A change of a large subdir wakes one thread a page, which has the page rendered by a process of its
own until it is as new as the records. Pages of large channels take seconds, so there is a pause
after each rendering that is `REST` times as long: the work takes a fixed share of one core at
most, however often the channel changes. Several servers on one store take turns by a row in the
database, so that a page is not rendered by each of them.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Lock, Thread

from twofold.errors import TwofoldError
from twofold.server.clock import now
from twofold.server.manner import manner_of
from twofold.server.model import Channel
from twofold.server.store import Connection, Database, pages

log = logging.getLogger("twofold.server")

#: The pages of a whole subdir.
NAMES = ("repodata.json", "repodata.json.zst", "run_exports.json", "run_exports.json.zst")

#: From this size on (bytes) a page is rendered in the background: some 5,000 packages.
LARGE = 256 << 10

#: How much longer than the rendering the pause after it is.
REST = 2

#: Seconds after which a rendering whose process was killed is begun by another one.
PATIENCE = 120

Key = tuple[str, str]


def pages_under(channel: Channel, label: str, subdir: str) -> str:
    """What the keys of a subdir's pages begin with; others when the channel's manner changes."""
    return f"conda{manner_of(channel.settings).variant}/{label}/{subdir}/"


@dataclass(frozen=True)
class Wanted:
    """A page of a whole subdir."""

    channel: Channel
    label: str
    subdir: str
    name: str

    @property
    def key(self) -> str:
        return pages_under(self.channel, self.label, self.subdir) + self.name

    def is_fresh(self, db: Connection) -> bool:
        """Whether the kept page, if there is one, is as new as the records."""
        last = pages.last_change(db, self.channel.id, self.label, self.subdir)
        kept = pages.page_serial(db, self.channel.id, self.key)
        return kept is None or kept >= last


@dataclass
class Followers:
    """The threads of this process that bring large pages up to date, at most one a page."""

    _woken: dict[Key, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def wake(self, database: Database, wanted: Wanted) -> None:
        """Have a page rendered, unless a thread of ours sees to it already."""
        key = (wanted.channel.name, wanted.key)
        with self._lock:
            self._woken[key] = self._woken.get(key, 0) + 1
            if self._woken[key] > 1:
                return
        Thread(target=self._follow, args=(key, database, wanted), daemon=True).start()

    def wake_large(
        self, database: Database, channel: Channel, places: Iterable[tuple[str, str]]
    ) -> None:
        """After a change of these (label, subdir): the large pages that show them follow.

        The change is made, so that trouble here is none of it: who asks next wakes them again.
        """
        try:
            with database.read() as db:
                every = {
                    wanted.key: wanted
                    for label, subdir in places
                    for wanted in (Wanted(channel, label, subdir, name) for name in NAMES)
                }
                found = [every[key] for key in pages.large_pages(db, channel.id, every, LARGE)]
        except TwofoldError as error:
            log.error(json.dumps({"failed": "rendering", "reason": str(error)}))
            return
        for wanted in found:
            self.wake(database, wanted)

    def _follow(self, key: Key, database: Database, wanted: Wanted) -> None:
        while True:
            calls = self._woken[key]
            try:
                _bring_up_to_date(database, wanted, render_aside)
            except (TwofoldError, OSError, subprocess.SubprocessError) as error:
                log.error(
                    json.dumps({"failed": "rendering", "page": wanted.key, "reason": str(error)})
                )
            with self._lock:
                if self._woken[key] == calls:
                    del self._woken[key]
                    return


def _bring_up_to_date(
    database: Database, wanted: Wanted, render: Callable[[Database, Wanted], None]
) -> None:
    """Wait for our turn and render, until the page is as new as the records."""
    while True:
        with database.read() as db:
            if wanted.is_fresh(db):
                return
        wait = _take_turn(database, wanted)
        if wait > 0:
            time.sleep(min(wait, 5.0))
            continue
        begun = time.monotonic()
        try:
            render(database, wanted)
        finally:
            _rest(database, wanted, (time.monotonic() - begun) * REST)


def _take_turn(database: Database, wanted: Wanted) -> float:
    """0 when the turn is ours now, else the seconds until it may be."""
    at = now()
    with database.write() as db:
        until = at + timedelta(seconds=PATIENCE)
        return pages.take_turn(db, wanted.channel.id, wanted.key, at, until)


def _rest(database: Database, wanted: Wanted, seconds: float) -> None:
    with database.write() as db:
        until = now() + timedelta(seconds=seconds)
        pages.end_turn(db, wanted.channel.id, wanted.key, until)


def render_aside(database: Database, wanted: Wanted) -> None:
    """Render in a process of its own: a second of work here would hold up every other request."""
    url = database.url.render_as_string(hide_password=False)
    place = [wanted.channel.name, wanted.label, wanted.subdir, wanted.name]
    command = [sys.executable, "-m", "twofold.server.registry.render_process"]
    subprocess.run(command, input=json.dumps([url, *place]), text=True, check=True)
