"""When tokens were used last: noted in memory, written every ten minutes.

Each write makes every process read its cached pages again, so none is made for a request; only the
first use of a token is written at once, for who has just made one and tries it.
"""

from __future__ import annotations

import time
from datetime import datetime
from threading import Lock

from twofold.errors import TwofoldError
from twofold.server.store import Database, accounts

#: Seconds between two writes of a process.
INTERVAL = 600.0


class TokenUses:
    """The uses of tokens in this process that are not written yet."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._used: dict[int, datetime] = {}
        self._known: set[int] = set()
        self._written_at = time.monotonic()

    def note(self, token_id: int, at: datetime, was_used: bool) -> bool:
        """Note a use; return whether it is time to write."""
        self._used[token_id] = at
        if not was_used and token_id not in self._known:
            self._known.add(token_id)
            return True
        return time.monotonic() - self._written_at > INTERVAL

    def write(self, database: Database) -> None:
        """Write what was noted; what cannot be written now is kept for later."""
        with self._lock:
            used, self._used = dict(self._used), {}
            self._written_at = time.monotonic()
            if not used:
                return
            try:
                with database.write() as db:
                    accounts.set_token_uses(db, used)
            except TwofoldError:
                self._used = {**used, **self._used}
