"""Events of channels for webhooks: put into the queue in the transaction of the change itself.

So no change is reported that was not made, and none is lost that was.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from twofold.server.store import Connection
from twofold.server.store.audit import AuditEntry
from twofold.server.store.outgoing import deliveries, webhooks

log = logging.getLogger("twofold.server")

#: Action in the audit log -> event.
EVENTS: Mapping[str, str] = {
    "publish": "upload",
    "yank": "yank",
    "unyank": "unyank",
    "delete": "delete",
    "promote": "promote",
}

#: The event of a delivery that was asked for to try a webhook.
TEST_EVENT = "test"

#: The most deliveries of a webhook in the queue, and the longest payload (bytes).
MAX_PENDING, MAX_PAYLOAD = 2000, 60_000


def queue_event(db: Connection, channel_id: int, entry: AuditEntry) -> bool:
    """Queue the event of a change for the channel's webhooks; return whether there is one."""
    event = EVENTS.get(entry.action)
    if event is None:
        return False
    hooks = [hook for hook in webhooks.list_webhooks(db, channel_id) if event in hook.events]
    for hook in hooks:
        if deliveries.count_pending(db, hook.id) >= MAX_PENDING:
            reason = f"{MAX_PENDING} deliveries are in its queue"
            log.error(json.dumps({"failed": "webhook", "id": hook.id, "reason": reason}))
            continue
        deliveries.add_delivery(db, hook.id, event, make_payload(event, entry), entry.at)
    return bool(hooks)


def make_payload(event: str, entry: AuditEntry) -> str:
    """Return the body of a delivery (JSON)."""
    value: dict[str, Any] = {
        "event": event,
        "channel": entry.channel,
        "subject": entry.subject,
        "actor": entry.actor,
        "at": entry.at.isoformat(),
        "detail": entry.detail or {},
    }
    text = json.dumps(value, ensure_ascii=False)
    if len(text.encode("utf-8", "replace")) > MAX_PAYLOAD:
        text = json.dumps({**value, "detail": {"left_out": "it is too long"}}, ensure_ascii=False)
    return text
