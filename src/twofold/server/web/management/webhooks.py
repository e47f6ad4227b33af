"""Webhooks of a channel, and their deliveries."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.channel_events import EVENTS
from twofold.server.registry.webhooks import settings
from twofold.server.registry.webhooks.settings import Delivery, Webhook
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import choice, list_of, text
from twofold.server.web.management.response_schemas import (
    COUNT,
    COUNT_OR_NULL,
    TEXT,
    TEXTS,
    TIME,
    TIME_OR_NULL,
    object_schema,
)

#: The most deliveries that are listed.
MAX_DELIVERIES = 100

SCHEMAS: dict[str, dict[str, Any]] = {
    "Webhook": object_schema(id=COUNT, url=TEXT, events=TEXTS, created_at=TIME),
    "NewWebhook": object_schema(secret=TEXT, webhook={"$ref": "#/components/schemas/Webhook"}),
    "WebhookSecret": object_schema(secret=TEXT),
    "QueuedDelivery": object_schema(delivery=COUNT),
    "Delivery": object_schema(
        id=COUNT,
        event=TEXT,
        url=TEXT,
        created_at=TIME,
        attempts=COUNT,
        status=COUNT_OR_NULL,
        error=TEXT,
        delivered_at=TIME_OR_NULL,
        next_at=TIME_OR_NULL,
    ),
}


def _serialize(found: Webhook) -> dict[str, Any]:
    return {
        "id": found.id,
        "url": found.url,
        "events": list(found.events),
        "created_at": found.created_at.isoformat(),
    }


def _serialize_delivery(found: Delivery, url: str) -> dict[str, Any]:
    return {
        "id": found.id,
        "event": found.event,
        "url": url,
        "created_at": found.created_at.isoformat(),
        "attempts": found.attempts,
        "status": found.status,
        "error": found.error,
        "delivered_at": found.delivered_at.isoformat() if found.delivered_at else None,
        "next_at": found.next_at.isoformat() if found.next_at else None,
    }


def _list_webhooks(context: RequestContext) -> Any:
    found = settings.list_webhooks(context.registry, context["channel"])
    return [_serialize(one) for one in found]


def _add_webhook(context: RequestContext) -> Any:
    words = context["channel"], context["url"], context.get("events", [])
    added = settings.add_webhook(context.registry, context.actor.name, *words)
    return {"secret": added.secret, "webhook": _serialize(added)}


def _change_webhook(context: RequestContext) -> Any:
    words = context["channel"], context["id"], context.get("url"), context.get("events")
    return _serialize(settings.change_webhook(context.registry, context.actor.name, *words))


def _remove_webhook(context: RequestContext) -> None:
    words = context["channel"], context["id"]
    settings.remove_webhook(context.registry, context.actor.name, *words)


def _rotate_secret(context: RequestContext) -> Any:
    words = context["channel"], context["id"]
    return {"secret": settings.rotate_secret(context.registry, context.actor.name, *words)}


def _test_webhook(context: RequestContext) -> Any:
    words = context["channel"], context["id"]
    return {"delivery": settings.queue_test(context.registry, context.actor.name, *words)}


def _resend_delivery(context: RequestContext) -> Any:
    words = context["channel"], context["id"]
    return {"delivery": settings.resend(context.registry, context.actor.name, *words).id}


def _list_deliveries(context: RequestContext) -> Any:
    found = settings.list_deliveries(context.registry, context["channel"], MAX_DELIVERIES)
    return [_serialize_delivery(*one) for one in found]


_WEBHOOKS = "/channels/{channel}/webhooks"
_EVENT = choice("an event", *EVENTS.values())

_URL = text("where deliveries are posted", r"https?://[^\s]+", max_length=500)

ENDPOINTS = (
    Endpoint(
        "GET",
        _WEBHOOKS,
        "list-webhooks",
        "List the webhooks of a channel.",
        RequiredRole.ADMIN,
        _list_webhooks,
        ResponseSpec("Webhook", is_list=True),
    ),
    Endpoint(
        "POST",
        _WEBHOOKS,
        "add-webhook",
        "Send events of the channel to a URL, signed with a secret that is shown once.",
        RequiredRole.ADMIN,
        _add_webhook,
        ResponseSpec("NewWebhook", status=201),
        FieldSpec(
            {
                "url": _URL,
                "events": list_of(_EVENT, "events; all by default", 1, len(EVENTS)),
            },
            ("url",),
        ),
    ),
    Endpoint(
        "PATCH",
        f"{_WEBHOOKS}/{{id}}",
        "change-webhook",
        "Change a webhook's URL or events; what is in its queue goes to the new URL.",
        RequiredRole.ADMIN,
        _change_webhook,
        ResponseSpec("Webhook"),
        FieldSpec({"url": _URL, "events": list_of(_EVENT, "events", 1, len(EVENTS))}),
    ),
    Endpoint(
        "DELETE",
        f"{_WEBHOOKS}/{{id}}",
        "remove-webhook",
        "Remove a webhook and its deliveries.",
        RequiredRole.ADMIN,
        _remove_webhook,
    ),
    Endpoint(
        "POST",
        f"{_WEBHOOKS}/{{id}}/secret",
        "rotate-webhook-secret",
        "Replace a webhook's secret; the one before signs too for a day.",
        RequiredRole.ADMIN,
        _rotate_secret,
        ResponseSpec("WebhookSecret"),
    ),
    Endpoint(
        "POST",
        f"{_WEBHOOKS}/{{id}}/test",
        "test-webhook",
        "Send a delivery that tries the webhook.",
        RequiredRole.ADMIN,
        _test_webhook,
        ResponseSpec("QueuedDelivery"),
    ),
    Endpoint(
        "GET",
        "/channels/{channel}/deliveries",
        "list-deliveries",
        "List the deliveries of a channel's webhooks, the newest first.",
        RequiredRole.ADMIN,
        _list_deliveries,
        ResponseSpec("Delivery", is_list=True),
    ),
    Endpoint(
        "POST",
        "/channels/{channel}/deliveries/{id}/resend",
        "resend-delivery",
        "Send a delivery again, now, with the same webhook-id.",
        RequiredRole.ADMIN,
        _resend_delivery,
        ResponseSpec("QueuedDelivery"),
    ),
)
