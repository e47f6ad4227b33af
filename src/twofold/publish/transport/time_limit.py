"""The limit of time of a whole upload or response, which grows with its size."""

from __future__ import annotations

import time

from twofold.publish.responses import RetryPolicy


class TooSlow(TimeoutError):
    """An upload or a response took longer than it may."""


class TimeLimit:
    """Begins now, and ends by a policy's `total` and `slowest`."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._start = time.monotonic()

    def get_rest(self, size: int) -> float:
        """The seconds left, once `size` bytes have come or gone; raises TooSlow if none are."""
        passed = time.monotonic() - self._start
        rest = self._policy.total + size / self._policy.slowest - passed
        if rest <= 0:
            raise TooSlow(f"{size} bytes in {passed:.0f} s")
        return rest
