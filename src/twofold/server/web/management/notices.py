"""Notices of a channel: messages that conda clients show to its users (CEP 6)."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.model import View
from twofold.server.registry import notices
from twofold.server.registry.notices import LEVELS, MAX_LENGTH, Notice, NoticeRequest
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import choice, number, text
from twofold.server.web.management.response_schemas import TEXT, TIME, object_schema

SCHEMAS: dict[str, dict[str, Any]] = {
    "Notice": object_schema(id=TEXT, message=TEXT, level=TEXT, created_at=TIME, expires_at=TIME),
}


def _serialize(found: Notice) -> dict[str, Any]:
    return {
        "id": found.id,
        "message": found.message,
        "level": found.level,
        "created_at": found.created_at.isoformat(),
        "expires_at": found.expires_at.isoformat(),
    }


def _list_notices(context: RequestContext) -> Any:
    found, _ = notices.list_active(context.registry, View(context.actor, context["channel"]))
    return [_serialize(one) for one in found]


def _add_notice(context: RequestContext) -> Any:
    given = NoticeRequest(context["message"], context.get("level", "info"), context.get("days", 30))
    return _serialize(notices.add(context.registry, context.actor, context["channel"], given))


def _remove_notice(context: RequestContext) -> None:
    notices.remove(context.registry, context.actor, context["channel"], context["notice"])


_NOTICES = "/channels/{channel}/notices"

ENDPOINTS = (
    Endpoint(
        "GET",
        _NOTICES,
        "list-notices",
        "List the notices that conda shows to users of the channel.",
        RequiredRole.READ,
        _list_notices,
        ResponseSpec("Notice", is_list=True),
    ),
    Endpoint(
        "POST",
        _NOTICES,
        "add-notice",
        "Show a notice to those who use the channel with conda.",
        RequiredRole.ADMIN,
        _add_notice,
        ResponseSpec("Notice", status=201),
        FieldSpec(
            {
                "message": text("one line", max_length=MAX_LENGTH, min_length=1),
                "level": choice("conda shows a critical one every time", *LEVELS),
                "days": number("days for which it is shown", 1, 3650),
            },
            ("message",),
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_NOTICES}/{{notice}}",
        "remove-notice",
        "Remove a notice.",
        RequiredRole.ADMIN,
        _remove_notice,
    ),
)
