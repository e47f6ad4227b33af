"""Counts downloads in memory and writes them in batches: a download itself writes nothing.

No address and no time within a day is kept. A process that is killed loses at most the batch of its
last `INTERVAL`; several processes add to the same rows.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

from twofold.errors import TwofoldError
from twofold.server.store.database import Database
from twofold.server.store.numbers.download_counts import (
    RETENTION_DAYS,
    FileKey,
    add_counts,
    delete_days_before,
)

log = logging.getLogger("twofold.server")

#: Seconds between two batches. Each makes the fast path read again what it holds in memory.
INTERVAL = 60.0

#: Files and clients counted in one batch; then it is written at once.
MAX_KEYS = 50_000

#: Seconds that a batch waits for another writer; then it is added to the next one.
PATIENCE = 5.0

#: Different User-Agent headers that are remembered with their client.
MAX_AGENTS = 2000

#: The first product of a User-Agent header -> client.
CLIENTS = {
    "pip": "pip",
    "uv": "uv",
    "conda": "conda",
    "mamba": "mamba",
    "micromamba": "mamba",
    "libmamba": "mamba",
    "pixi": "pixi",
    "rattler": "pixi",
    "poetry": "poetry",
    "pdm": "pdm",
    "twofold": "twofold",
    "mozilla": "browser",
}
OTHER = "other"


def classify_client(agent: str) -> str:
    """Return the client of a User-Agent header: `pip/26.0 {...}` is pip; `other` if unknown."""
    product = agent.lstrip().partition("/")[0].partition(" ")[0].lower()
    return CLIENTS.get(product, OTHER)


class DownloadCounter:
    """The downloads of a process since the last batch. Safe in all threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[FileKey, str]] = Counter()
        self._agents: dict[str, str] = {}
        self._lock = threading.Lock()
        self._full = threading.Event()
        self._thread: threading.Thread | None = None
        self._pruned = ""

    def count(self, database: Database, file: FileKey, agent: str) -> None:
        """Count a download of a file by a client with this User-Agent."""
        client = self._agents.get(agent)
        if client is None:
            if len(self._agents) >= MAX_AGENTS:
                self._agents.clear()
            client = self._agents[agent] = classify_client(agent)
        with self._lock:
            self._counts[file, client] += 1
            if self._thread is None:
                work = threading.Thread(target=self._work, args=(database,), daemon=True)
                self._thread = work
                work.start()
        if len(self._counts) >= MAX_KEYS:
            self._full.set()

    def _work(self, database: Database) -> None:
        while True:
            self._full.wait(INTERVAL)
            self._full.clear()
            with self._lock:
                if not self._counts:
                    self._thread = None  # the next download starts another
                    return
            self.flush(database)

    def flush(self, database: Database) -> None:
        """Write what was counted; where that fails it is kept for the next batch."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        today = datetime.now(UTC).date()
        try:
            with database.write_soon(PATIENCE) as db:
                add_counts(db, today.isoformat(), counts)
                if self._pruned != today.isoformat():
                    delete_days_before(db, (today - timedelta(RETENTION_DAYS)).isoformat())
            self._pruned = today.isoformat()
        except (TwofoldError, OSError) as error:
            log.warning("downloads were not written, they are kept for later: %s", error)
            with self._lock:
                if len(self._counts) + len(counts) <= 2 * MAX_KEYS:
                    self._counts.update(counts)
