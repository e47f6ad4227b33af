"""Rate limit for failed logins (429).

Counted in the store, so over all its servers, by the client's address and the user's name together,
and for names that no user has by the address alone; a network of IPv6 addresses counts as one. So
wrong passwords for others never lock out a user behind the same address, nor does anybody at
another address. Nothing is written for a right password that no wrong one went before. Tokens are
190 random bits and need no such guard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from twofold.errors import Refused
from twofold.server.client_address import one_client
from twofold.server.model import now
from twofold.server.store import Database, accounts
from twofold.server.store.database import AdvisoryLock, acquire_lock

#: Seconds after which a wrong password is forgotten.
WINDOW = 900

#: Wrong passwords in that time: for one user from one address, and from one address for names that
#: no user has.
MAX_FOR_USER, MAX_FROM_ADDRESS = 10, 50

#: Rows that are kept, two for each wrong password; a flood forgets the oldest.
MAX_ROWS = 20_000


@dataclass(frozen=True)
class LoginThrottle:
    """Rate limit shared by all threads and processes."""

    database: Database
    clock: Callable[[], datetime] = now

    @contextmanager
    def attempt(self, address: str, user: str) -> Iterator[None]:
        """Wrap the check of a password. Raises Refused (429) after too many failures."""
        client = one_client(address)
        own = _hash_key(client, user)
        most = {own: MAX_FOR_USER}
        if not self._is_known(user):
            most[_hash_key(client)] = MAX_FROM_ADDRESS
        with self._count(own, most, "invalid-login"):
            yield

    @contextmanager
    def attempt_code(self, user: str) -> Iterator[None]:
        """Wrap the check of a second factor's code. Raises Refused (429).

        Counted for the user alone, wherever codes come from: who enters one knows the password.
        """
        own = _hash_key("code", user)
        with self._count(own, {own: MAX_FOR_USER}, "wrong-code"):
            yield

    @contextmanager
    def _count(self, own: str, most: Mapping[str, int], code: str) -> Iterator[None]:
        self._check_limits(most)
        try:
            yield
        except Refused as error:
            if error.code == code:
                self._record_failure(most)
            raise
        # Those that were guessed at the same moment count as well.
        if self._check_limits(most)[own]:
            with self.database.write() as db:
                accounts.delete_attempts(db, own)

    def _is_known(self, user: str) -> bool:
        with self.database.read() as db:
            return accounts.get_password_hash(db, user) is not None

    def _check_limits(self, most: Mapping[str, int]) -> Mapping[str, int]:
        with self.database.read() as db:
            counted = accounts.count_attempts(db, most, self._since())
        _check_counts(counted, most)
        return counted

    def _record_failure(self, most: Mapping[str, int]) -> None:
        with self.database.write() as db:
            acquire_lock(db, AdvisoryLock.LOGIN_ATTEMPTS)
            _check_counts(accounts.count_attempts(db, most, self._since()), most)
            last = accounts.record_attempt(db, most, self.clock())
            accounts.delete_old_attempts(db, self._since(), last - MAX_ROWS)

    def _since(self) -> datetime:
        return self.clock() - timedelta(seconds=WINDOW)


def _check_counts(counted: Mapping[str, int], most: Mapping[str, int]) -> None:
    if any(counted[place] >= most[place] for place in most):
        raise Refused(
            "too-many-attempts",
            "Too many wrong passwords",
            f"wait {WINDOW // 60} minutes, or log in with a token",
            429,
        )


def _hash_key(*parts: str) -> str:
    """Hash the key: neither addresses nor names are stored."""
    return hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass")).hexdigest()
