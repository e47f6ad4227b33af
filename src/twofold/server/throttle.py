"""Wrong passwords are answered slower and slower: with 429, until some minutes have passed.

Counted in this process, by the client's address and the user's name together, and by the address
alone, so that neither one user's password nor many users' can be guessed at. A right password from
another address is not in the way. Tokens are 190 random bits and need no such guard.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from twofold.errors import Refused

#: Seconds after which a wrong password is forgotten.
WINDOW = 900

#: Wrong passwords in that time: for one user from one address, and from one address in all.
MOST_FOR_USER, MOST_FROM_ADDRESS = 10, 50

#: Addresses and users that are remembered; a flood forgets the oldest.
MOST_KEPT = 10_000


@dataclass
class Throttle:
    """For any thread: each step is one operation on a dictionary or a list."""

    clock: Callable[[], float] = time.monotonic
    _wrong: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    @contextmanager
    def guess(self, address: str, user: str) -> Iterator[None]:
        """Around the check of a password. Raises Refused (429) after too many wrong ones."""
        here = ((address, user), MOST_FOR_USER), ((address, ""), MOST_FROM_ADDRESS)
        if any(self._count(key) >= most for key, most in here):
            raise Refused(
                "too-many-attempts",
                "Too many wrong passwords",
                f"wait {WINDOW // 60} minutes, or log in with a token",
                429,
            )
        try:
            yield
        except Refused as error:
            if error.code == "invalid-login":
                for key, _ in here:
                    self._note(key)
            raise
        self._wrong.pop((address, user), None)

    def _count(self, key: tuple[str, str]) -> int:
        since = self.clock() - WINDOW
        return sum(moment > since for moment in self._wrong.get(key, ()))

    def _note(self, key: tuple[str, str]) -> None:
        since = self.clock() - WINDOW
        recent = [moment for moment in self._wrong.get(key, ()) if moment > since]
        while len(self._wrong) >= MOST_KEPT and key not in self._wrong:
            self._wrong.pop(next(iter(self._wrong)), None)
        self._wrong[key] = [*recent, self.clock()]
