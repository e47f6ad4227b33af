"""What is asked of one server: so many requests at once, and none while it wants to be left alone.

A server that hangs would otherwise hold every thread of the registry, and one that answers 429 or
503 with Retry-After (RFC 9110, 10.2.3) would be asked again by the next client.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from twofold.errors import Unreachable

#: Requests to one server at the same time, and how long a further one waits for its turn (seconds).
MAX_REQUESTS, MAX_WAIT = 24, 5.0

#: The longest that a server is left alone at its own wish (seconds).
MAX_PAUSE = 3600.0


class ServerLimits:
    """The limits of one server, shared by the threads of a process."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(MAX_REQUESTS)
        self._paused_until = 0.0

    @contextmanager
    def request(self, url: str, is_page: bool) -> Iterator[None]:
        """Hold a place for a page. Raises Unreachable while there is none, and in a pause.

        Files, which may take an hour, have places of their own (`store.downloads`).
        """
        self._check_pause(url)
        if not is_page:
            yield
            return
        if not self._slots.acquire(timeout=MAX_WAIT):
            text = f"{url} was not requested: {MAX_REQUESTS} requests wait for that server"
            raise Unreachable(text, "try again later", retry_after=MAX_WAIT)
        try:
            yield
        finally:
            self._slots.release()

    def _check_pause(self, url: str) -> None:
        left = self._paused_until - time.monotonic()
        if left > 0:
            text = f"{url} was not requested: its server asked for a pause of {left:.0f} s more"
            raise Unreachable(text, "try again later", retry_after=left)

    def pause(self, seconds: float) -> None:
        """Make no request for so long."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)


def parse_retry_after(value: str) -> float:
    """Return the seconds of a Retry-After, a number or a date; 0 where there is none."""
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), MAX_PAUSE))
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max(0.0, (at - datetime.now(UTC)).total_seconds()), MAX_PAUSE)
