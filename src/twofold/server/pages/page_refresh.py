"""Large pages are re-rendered in the background; the old version is served meanwhile.

A change of a large subdir starts one thread per page, which renders the page in a subprocess until
it is as new as the records. Pages of large channels take seconds, so each rendering is followed by
a pause `RENDER_PAUSE` times as long: the work uses a fixed share of one core at most, however often
the channel changes. Servers sharing one store hold a lease, a row in the database, so that only
one of them renders a page.
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
PAGE_NAMES = (
    "repodata.json",
    "repodata.json.zst",
    "current_repodata.json",
    "current_repodata.json.zst",
    "run_exports.json",
    "run_exports.json.zst",
)

#: From this size on (bytes) a page is rendered in the background: some 5,000 packages.
LARGE_PAGE = 256 << 10

#: Length of the pause after a rendering, relative to the rendering.
RENDER_PAUSE = 2

#: Seconds after which another process takes over from a killed one.
RENDER_TIMEOUT = 120

RenderKey = tuple[str, str]


def page_prefix(channel: Channel, label: str, subdir: str) -> str:
    """Return the key prefix of a subdir's pages; it depends on the channel's page options."""
    return f"conda{from_settings(channel.settings).key_suffix}/{label}/{subdir}/"


@dataclass(frozen=True)
class PageKey:
    """A page that covers a whole subdir."""

    channel: Channel
    label: str
    subdir: str
    name: str

    @property
    def text(self) -> str:
        """The key of the page in the database."""
        return page_prefix(self.channel, self.label, self.subdir) + self.name

    def is_fresh(self, db: Connection) -> bool:
        """Whether the stored page, if any, is as new as the records."""
        last = pages.get_last_change(db, self.channel.id, self.label, self.subdir)
        kept = pages.get_page_serial(db, self.channel.id, self.text)
        return kept is None or kept >= last


def find_large_pages(
    db: Connection, channel: Channel, changed: Iterable[tuple[str, str]]
) -> list[PageKey]:
    """Return the large pages of these changed (label, subdir) pairs."""
    every = {
        wanted.text: wanted
        for label, subdir in changed
        for wanted in (PageKey(channel, label, subdir, name) for name in PAGE_NAMES)
    }
    if not every:
        return []
    return [every[key] for key in pages.list_large_pages(db, channel.id, every, LARGE_PAGE)]


@dataclass
class BackgroundRenderer:
    """The threads of this process that re-render large pages, at most one per page."""

    _requested: dict[RenderKey, int] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def request_render(self, database: Database, page: PageKey) -> None:
        """Start rendering a page, unless a thread of this process already does."""
        key = (page.channel.name, page.text)
        with self._lock:
            self._requested[key] = self._requested.get(key, 0) + 1
            if self._requested[key] > 1:
                return
        Thread(target=self._render_until_current, args=(key, database, page), daemon=True).start()

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
    """Acquire the lease and render, until the page is as new as the records."""
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
    """Return 0 when the lease is acquired, else the seconds to wait."""
    at = now()
    with database.write() as db:
        until = at + timedelta(seconds=RENDER_TIMEOUT)
        return pages.acquire_page_lease(db, page.channel.id, page.text, at, until)


def _pause(database: Database, page: PageKey, seconds: float) -> None:
    with database.write() as db:
        until = now() + timedelta(seconds=seconds)
        pages.extend_page_lease(db, page.channel.id, page.text, until)


def render_in_subprocess(database: Database, page: PageKey) -> None:
    """Render in a subprocess: a second of work here would delay every other request."""
    url = database.url.render_as_string(hide_password=False)
    place = [page.channel.name, page.label, page.subdir, page.name]
    command = [sys.executable, "-m", "twofold.server.pages.render_worker"]
    subprocess.run(
        command, input=json.dumps([url, *place]), encoding="utf-8", errors="replace", check=True
    )
