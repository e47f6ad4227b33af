"""The audit log of the registry, and of a channel."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.registry import administration
from twofold.server.registry.administration import AuditEntry, AuditQuery
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema, text


def _read_log(context: RequestContext) -> list[AuditEntry]:
    span = AuditQuery(
        context.get("channel"),
        context.get("actor"),
        context.get("action"),
        context.get("after", 0),
        context.get("limit", 1000),
    )
    return administration.read_changes(context.registry, span)


def _show_log(context: RequestContext) -> Any:
    return [response_schemas.serialize_change(change) for change in _read_log(context)]


def _export_log(context: RequestContext) -> str:
    return administration.as_csv(_read_log(context))


_CHANNEL = "/channels/{channel}"

_LOG: dict[str, Schema] = {
    "actor": text("the user who made the change", max_length=500),
    "action": text("the action that was logged", r"[a-z-]*", max_length=100),
    "after": parameters.AFTER,
    "limit": parameters.LIMIT,
}
_CHANGES, _CSV = ResponseSpec("Change", is_list=True), ResponseSpec(media="text/csv")

ENDPOINTS = (
    Endpoint(
        "GET",
        f"{_CHANNEL}/log",
        "channel-log",
        "List the audit log entries of a channel, oldest first.",
        RequiredRole.ADMIN,
        _show_log,
        _CHANGES,
        query=FieldSpec(_LOG),
    ),
    Endpoint(
        "GET",
        "/log",
        "log",
        "List all audit log entries, oldest first.",
        RequiredRole.OPERATOR,
        _show_log,
        _CHANGES,
        query=FieldSpec({**_LOG, "channel": parameters.CHANNEL}),
    ),
    Endpoint(
        "GET",
        "/log.csv",
        "log-csv",
        "Return the audit log as CSV.",
        RequiredRole.OPERATOR,
        _export_log,
        _CSV,
        query=FieldSpec({**_LOG, "channel": parameters.CHANNEL}),
    ),
)
