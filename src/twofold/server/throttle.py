"""Wrong passwords are answered slower and slower: with 429, until some minutes have passed.

Counted in the store, so over all its servers, by the client's address and the user's name together
and by the address alone, so that neither one user's password nor many users' can be guessed at. A
right password from another address is not in the way. Nothing is written for a right password that
no wrong one went before. Tokens are 190 random bits and need no such guard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from twofold.errors import Refused
from twofold.server.clock import now
from twofold.server.store import Database, guesses
from twofold.server.store.database import Turn, take_turn

#: Seconds after which a wrong password is forgotten.
WINDOW = 900

#: Wrong passwords in that time: for one user from one address, and from one address in all.
MOST_FOR_USER, MOST_FROM_ADDRESS = 10, 50

#: Rows that are kept, two for each wrong password; a flood forgets the oldest.
MOST_KEPT = 20_000


@dataclass(frozen=True)
class Throttle:
    """For any thread of any process."""

    database: Database
    clock: Callable[[], datetime] = now

    @contextmanager
    def guess(self, address: str, user: str) -> Iterator[None]:
        """Around the check of a password. Raises Refused (429) after too many wrong ones."""
        own = _place(address, user)
        most = {own: MOST_FOR_USER, _place(address): MOST_FROM_ADDRESS}
        self._demand_few(most)
        try:
            yield
        except Refused as error:
            if error.code == "invalid-login":
                self._note(most)
            raise
        # Those that were guessed at the same moment count as well.
        if self._demand_few(most)[own]:
            with self.database.write() as db:
                guesses.forget_place(db, own)

    def _demand_few(self, most: Mapping[str, int]) -> Mapping[str, int]:
        with self.database.read() as db:
            counted = guesses.count(db, most, self._since())
        _refuse_many(counted, most)
        return counted

    def _note(self, most: Mapping[str, int]) -> None:
        with self.database.write() as db:
            take_turn(db, Turn.GUESSES)
            _refuse_many(guesses.count(db, most, self._since()), most)
            last = guesses.note(db, most, self.clock())
            guesses.forget(db, self._since(), last - MOST_KEPT)

    def _since(self) -> datetime:
        return self.clock() - timedelta(seconds=WINDOW)


def _refuse_many(counted: Mapping[str, int], most: Mapping[str, int]) -> None:
    if any(counted[place] >= most[place] for place in most):
        raise Refused(
            "too-many-attempts",
            "Too many wrong passwords",
            f"wait {WINDOW // 60} minutes, or log in with a token",
            429,
        )


def _place(*words: str) -> str:
    """Neither addresses nor names are kept, and no name is too long."""
    return hashlib.sha256("\n".join(words).encode("utf-8", "surrogatepass")).hexdigest()
