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
from twofold.server.model import Channel, now
from twofold.server.pages.channel_page_options import from_settings
from twofold.server.store import Connection, Database, pages

log = logging.getLogger("twofold.server")

#: The pages of a whole subdir.
PAGE_NAMES = ("repodata.json", "repodata.json.zst", "run_exports.json", "run_exports.json.zst")

#: From this size on (bytes) a page is rendered in the background: some 5,000 packages.
LARGE_PAGE = 256 << 10

#: How much longer than the rendering the pause after it is.
RENDER_PAUSE = 2

#: Seconds after which a rendering whose process was killed is begun by another one.
RENDER_TIMEOUT = 120

RenderKey = tuple[str, str]


def page_prefix(channel: Channel, label: str, subdir: str) -> str:
    """What the keys of a subdir's pages begin with; others when the channel's manner changes."""
    return f"conda{from_settings(channel.settings).key_suffix}/{label}/{subdir}/"


@dataclass(frozen=True)
class PageKey:
    """A page of a whole subdir."""

    channel: Channel
    label: str
    subdir: str
    name: str

    @property
    def text(self) -> str:
        return page_prefix(self.channel, self.label, self.subdir) + self.name

    def is_fresh(self, db: Connection) -> bool:
        """Whether the kept page, if there is one, is as new as the records."""
        last = pages.get_last_change(db, self.channel.id, self.label, self.subdir)
        kept = pages.get_page_serial(db, self.channel.id, self.text)
        return kept is None or kept >= last


@dataclass
class BackgroundRenderer:
    """The threads of this process that bring large pages up to date, at most one a page."""

    _requested: dict[RenderKey, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def request_render(self, database: Database, page: PageKey) -> None:
        """Have a page rendered, unless a thread of ours sees to it already."""
        key = (page.channel.name, page.text)
        with self._lock:
            self._requested[key] = self._requested.get(key, 0) + 1
            if self._requested[key] > 1:
                return
        Thread(target=self._render_until_current, args=(key, database, page), daemon=True).start()

    def request_large(
        self, database: Database, channel: Channel, changed: Iterable[tuple[str, str]]
    ) -> None:
        """After a change of these (label, subdir): the large pages that show them follow.

        The change is made, so that trouble here is none of it: who asks next wakes them again.
        """
        try:
            with database.read() as db:
                every = {
                    wanted.text: wanted
                    for label, subdir in changed
                    for wanted in (PageKey(channel, label, subdir, name) for name in PAGE_NAMES)
                }
                found = [
                    every[key] for key in pages.list_large_pages(db, channel.id, every, LARGE_PAGE)
                ]
        except TwofoldError as error:
            log.error(json.dumps({"failed": "rendering", "reason": str(error)}))
            return
        for wanted in found:
            self.request_render(database, wanted)

    def _render_until_current(self, key: RenderKey, database: Database, page: PageKey) -> None:
        while True:
            calls = self._requested[key]
            try:
                _render_when_due(database, page, render_in_subprocess)
            except (TwofoldError, OSError, subprocess.SubprocessError) as error:
                log.error(
                    json.dumps({"failed": "rendering", "page": page.text, "reason": str(error)})
                )
            with self._lock:
                if self._requested[key] == calls:
                    del self._requested[key]
                    return


def _render_when_due(
    database: Database, page: PageKey, render: Callable[[Database, PageKey], None]
) -> None:
    """Wait for our turn and render, until the page is as new as the records."""
    while True:
        with database.read() as db:
            if page.is_fresh(db):
                return
        wait = _acquire_lease(database, page)
        if wait > 0:
            time.sleep(min(wait, 5.0))
            continue
        begun = time.monotonic()
        try:
            render(database, page)
        finally:
            _pause(database, page, (time.monotonic() - begun) * RENDER_PAUSE)


def _acquire_lease(database: Database, page: PageKey) -> float:
    """0 when the turn is ours now, else the seconds until it may be."""
    at = now()
    with database.write() as db:
        until = at + timedelta(seconds=RENDER_TIMEOUT)
        return pages.acquire_page_lease(db, page.channel.id, page.text, at, until)


def _pause(database: Database, page: PageKey, seconds: float) -> None:
    with database.write() as db:
        until = now() + timedelta(seconds=seconds)
        pages.extend_page_lease(db, page.channel.id, page.text, until)


def render_in_subprocess(database: Database, page: PageKey) -> None:
    """Render in a process of its own: a second of work here would hold up every other request."""
    url = database.url.render_as_string(hide_password=False)
    place = [page.channel.name, page.label, page.subdir, page.name]
    command = [sys.executable, "-m", "twofold.server.pages.render_worker"]
    subprocess.run(command, input=json.dumps([url, *place]), text=True, check=True)
