"""Webhooks of a channel, as its administrators set them.

Names, signatures and secrets are those of Standard Webhooks, so receivers can use its libraries.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from twofold.errors import Refused, Unreachable
from twofold.fetching.origins import is_public, parse_origin
from twofold.server.channel_events import EVENTS, MAX_PENDING, TEST_EVENT, make_payload
from twofold.server.context import Registry
from twofold.server.store import Connection, audit, channels
from twofold.server.store.audit import AuditEntry
from twofold.server.store.outgoing import deliveries as stored_deliveries
from twofold.server.store.outgoing import webhooks as stored
from twofold.server.store.outgoing.deliveries import Delivery as Delivery
from twofold.server.store.outgoing.webhooks import Webhook as Webhook

#: The most webhooks of a channel.
MAX_WEBHOOKS = 20

#: For how long the secret before signs too, so that receivers can change theirs.
ROTATION = timedelta(days=1)


def add_webhook(
    registry: Registry, by: str, channel: str, url: str, events: Sequence[str]
) -> Webhook:
    """Add a webhook; the secret is shown this once. Raises Refused (403, 404, 409)."""
    check_target(registry, url)
    chosen = tuple(sorted(set(events) or set(EVENTS.values())))
    at = registry.clock()
    with registry.database.serialized_write() as db:
        channel_id = _require_channel(db, channel)
        if len(stored.list_webhooks(db, channel_id)) >= MAX_WEBHOOKS:
            text = f"'{channel}' has {MAX_WEBHOOKS} webhooks"
            raise Refused("too-many-webhooks", text, "remove one first", 409)
        new = Webhook(0, channel_id, url, chosen, at, _make_secret())
        added = stored.add_webhook(db, new)
        audit.add_entry(
            db,
            AuditEntry(
                at, by, "webhook", channel, _redact(url), {"id": added, "events": list(chosen)}
            ),
        )
    return Webhook(added, channel_id, url, chosen, at, new.secret)


def check_target(registry: Registry, url: str) -> None:
    """Check the URL of a webhook. Raises Refused (400, 403)."""
    try:
        scheme, host, port = parse_origin(url)
        parts = urlsplit(url)
    except (Refused, ValueError):
        raise Refused("invalid-url", "This is not a URL that a webhook can have") from None
    if parts.username is not None or parts.fragment:
        text = "The URL of a webhook has neither a login nor a fragment"
        raise Refused("invalid-url", text, "put a token into its path or query")
    if host in registry.webhook_hosts or f"{host}:{port}" in registry.webhook_hosts:
        return
    if scheme != "https":
        hint = "ask the operator to allow its host with --webhook-host"
        raise Refused("insecure-url", "A webhook's URL begins with https://", hint, 403)
    try:
        is_outside = is_public(url)
    except Unreachable as error:
        raise Refused("unreachable", error.problems[0].message, status=409) from error
    if not is_outside:
        hint = "ask the operator to allow its host with --webhook-host"
        text = "A webhook with an internal address is allowed by the operator only"
        raise Refused("internal-address", text, hint, 403)


def list_webhooks(registry: Registry, channel: str) -> list[Webhook]:
    """Return the webhooks of a channel. Raises Refused (404)."""
    with registry.database.read() as db:
        return stored.list_webhooks(db, _require_channel(db, channel))


def remove_webhook(registry: Registry, by: str, channel: str, webhook_id: int) -> None:
    """Remove a webhook with its deliveries. Raises Refused (404)."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_webhook(db, channel, webhook_id)
        stored.remove_webhook(db, found.id)
        audit.add_entry(
            db, AuditEntry(at, by, "remove-webhook", channel, _redact(found.url), {"id": found.id})
        )


def change_webhook(
    registry: Registry,
    by: str,
    channel: str,
    webhook_id: int,
    url: str | None = None,
    events: Sequence[str] | None = None,
) -> Webhook:
    """Change a webhook's URL or events; None leaves them. Raises Refused (400, 403, 404).

    The secret stays. What is in the queue goes to the new URL.
    """
    if url is not None:
        check_target(registry, url)
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_webhook(db, channel, webhook_id)
        changed = replace(
            found,
            url=found.url if url is None else url,
            events=found.events if events is None else tuple(sorted(set(events))),
        )
        stored.set_target(db, found.id, changed.url, changed.events)
        detail = {"id": found.id, "before": _redact(found.url), "events": list(changed.events)}
        entry = AuditEntry(at, by, "change-webhook", channel, _redact(changed.url), detail)
        audit.add_entry(db, entry)
    return changed


def rotate_secret(registry: Registry, by: str, channel: str, webhook_id: int) -> str:
    """Replace a webhook's secret; return the new one. Raises Refused (404)."""
    secret, at = _make_secret(), registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_webhook(db, channel, webhook_id)
        stored.set_secret(db, found, secret, at + ROTATION)
        audit.add_entry(
            db, AuditEntry(at, by, "rotate-webhook", channel, _redact(found.url), {"id": found.id})
        )
    return secret


def queue_test(registry: Registry, by: str, channel: str, webhook_id: int) -> int:
    """Queue a delivery that tries a webhook; return its id. Raises Refused (404)."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        found = _require_webhook(db, channel, webhook_id)
        entry = AuditEntry(at, by, "test-webhook", channel, _redact(found.url))
        audit.add_entry(db, entry)
        payload = make_payload(TEST_EVENT, entry)
        queued = stored_deliveries.add_delivery(db, found.id, TEST_EVENT, payload, at)
    registry.webhook_wakeup.set()
    return queued


def resend(registry: Registry, by: str, channel: str, delivery_id: int) -> Delivery:
    """Send a delivery again, now, under its own id. Raises Refused (404, 409)."""
    at = registry.clock()
    with registry.database.serialized_write() as db:
        channel_id = _require_channel(db, channel)
        found = stored_deliveries.find_delivery(db, channel_id, delivery_id)
        if found is None:
            raise Refused("not-found", f"There is no delivery {delivery_id}", status=404)
        if stored_deliveries.count_pending(db, found.webhook_id) >= MAX_PENDING:
            text = f"{MAX_PENDING} deliveries of this webhook are in its queue"
            raise Refused("queue-full", text, "wait until some have been sent", 409)
        stored_deliveries.requeue(db, delivery_id, at)
        detail = {"id": delivery_id, "event": found.event}
        audit.add_entry(db, AuditEntry(at, by, "resend-delivery", channel, "", detail))
    registry.webhook_wakeup.set()
    return replace(found, next_at=at, attempts=0, delivered_at=None)


def list_deliveries(registry: Registry, channel: str, limit: int) -> list[tuple[Delivery, str]]:
    """Return a channel's deliveries and where they go, the newest first. Raises Refused (404)."""
    with registry.database.read() as db:
        found = stored_deliveries.list_deliveries(db, _require_channel(db, channel), limit)
    return [(delivery, _redact(url)) for delivery, url in found]


def _make_secret() -> str:
    return f"whsec_{base64.b64encode(secrets.token_bytes(24)).decode()}"


def _redact(url: str) -> str:
    """Return a URL without its query, in which receivers put tokens."""
    return url.partition("?")[0]


def _require_channel(db: Connection, name: str) -> int:
    found = channels.find_channel(db, name)
    if found is None:
        raise Refused("no-channel", f"There is no channel '{name[:100]}'", status=404)
    return found.id


def _require_webhook(db: Connection, channel: str, webhook_id: int) -> Webhook:
    found = stored.find_webhook(db, _require_channel(db, channel), webhook_id)
    if found is None:
        raise Refused("not-found", f"There is no webhook {webhook_id}", status=404)
    return found
