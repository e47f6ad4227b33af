"""Delivers what is in the queue of webhooks: signed, tried again, never twice at a time.

Each server process has a sender. One that takes a delivery claims it in the database for a minute,
so several deliver it once; after a kill the claim ends and another process goes on. A receiver that
has seen an id (`webhook-id`) before leaves it out: an answer can be lost.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Event, Thread

from twofold import __version__
from twofold.errors import Refused, TwofoldError, Unreachable
from twofold.fetching.exchange import Endpoint
from twofold.fetching.posting import post
from twofold.server.context import Registry
from twofold.server.store.outgoing import deliveries as stored
from twofold.server.store.outgoing.deliveries import Delivery
from twofold.server.store.outgoing.webhooks import Webhook

log = logging.getLogger("twofold.server")

#: Waits before the attempts after the first: a receiver may be away for two days.
BACKOFF = tuple(
    timedelta(seconds=seconds)
    for seconds in (10, 60, 300, 1800, 2 * 3600, 6 * 3600, 14 * 3600, 24 * 3600)
)

#: For how long a delivery is claimed: longer than one attempt can take.
CLAIM = timedelta(seconds=60)

#: Deliveries at once in a process, and seconds between looks at the queue.
AT_ONCE, INTERVAL = 4, 2.0

#: Seconds for a receiver's connection, and how much of its answer is read (bytes).
TIMEOUT, MAX_ANSWER = 10, 1000

#: Finished deliveries of a webhook that are kept as its log.
KEPT = 100


@dataclass
class WebhookSender:
    """The sender of a process: `start` it, and `stop` it before the process ends."""

    registry: Registry
    backoff: tuple[timedelta, ...] = BACKOFF
    _stopped: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def start(self) -> None:
        """Deliver in a thread of its own, beginning with what an earlier process left."""
        self._thread = Thread(target=self._work, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop; deliveries under way are finished first."""
        self._stopped.set()
        self.registry.webhook_wakeup.set()
        if self._thread is not None:
            self._thread.join(30)

    def _work(self) -> None:
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="webhook") as pool:
            while not self._stopped.is_set():
                try:
                    done = self.deliver_due(pool)
                except TwofoldError as error:  # the database is away: it is tried again
                    reason = error.problems[0].message
                    log.warning(json.dumps({"failed": "webhooks", "reason": reason}))
                    done = 0
                except Exception:  # a defect must not end all deliveries
                    log.exception("webhooks were not delivered")
                    done = 0
                if not done:
                    self.registry.webhook_wakeup.wait(INTERVAL)
                self.registry.webhook_wakeup.clear()

    def deliver_due(self, pool: ThreadPoolExecutor) -> int:
        """Deliver what is due, a few at once; return how many were tried."""
        at = self.registry.clock()
        with self.registry.database.read() as db:
            if not stored.has_due(db, at):
                return 0
        with self.registry.database.write() as db:
            claimed = stored.claim_due(db, at, at + CLAIM, AT_ONCE)
        list(pool.map(lambda pair: self._deliver(*pair), claimed))
        return len(claimed)

    def _deliver(self, delivery: Delivery, webhook: Webhook) -> None:
        """Make one attempt, and record what came of it."""
        status, error = None, ""
        body = delivery.payload.encode("utf-8", "replace")
        headers = make_headers(delivery, webhook, body, self.registry.clock())
        hosts = tuple(self.registry.webhook_hosts)
        endpoint = Endpoint(webhook.url, timeout=TIMEOUT, files_at=hosts)
        try:
            status = post(endpoint, body, headers, MAX_ANSWER).status
        except (Unreachable, Refused) as failure:
            error = failure.problems[0].message[:300]
        self._record(delivery, status, error)

    def _record(self, delivery: Delivery, status: int | None, error: str) -> None:
        at, attempt = self.registry.clock(), delivery.attempts + 1
        with self.registry.database.write() as db:
            if status is not None and 200 <= status < 300:
                stored.record_success(db, delivery.id, status, at)
            else:
                left = attempt <= len(self.backoff)
                next_at = at + self.backoff[attempt - 1] if left else None
                error = error or f"it answered {status}"
                stored.record_failure(db, delivery.id, status, error, next_at)
            stored.delete_finished(db, delivery.webhook_id, KEPT)


def make_headers(delivery: Delivery, webhook: Webhook, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of a delivery, with its signatures (Standard Webhooks)."""
    name, time = f"delivery_{delivery.id}", str(int(at.timestamp()))
    secrets = [webhook.secret]
    if webhook.old_secret and webhook.old_until is not None and at < webhook.old_until:
        secrets.append(webhook.old_secret)
    return {
        "Content-Type": "application/json",
        "User-Agent": f"twofold/{__version__}",
        "webhook-id": name,
        "webhook-timestamp": time,
        "webhook-signature": " ".join(sign(secret, name, time, body) for secret in secrets),
        "x-twofold-event": delivery.event,
    }


def sign(secret: str, name: str, time: str, body: bytes) -> str:
    """Return the signature of a delivery: HMAC-SHA256 over its id, time and body."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.new(key, f"{name}.{time}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"
