"""The state of the registry, for its operators."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.registry.server_state import read_state
from twofold.server.web.management.endpoints import Endpoint, RequestContext, ResponseSpec
from twofold.server.web.management.response_schemas import (
    COUNT,
    COUNT_OR_NULL,
    FLAG,
    TEXT,
    object_schema,
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "ServerState": object_schema(
        database=FLAG,
        objects=FLAG,
        free=COUNT,
        channels={
            "type": "array",
            "items": object_schema(
                channel=TEXT,
                public=FLAG,
                bytes=COUNT,
                quota=COUNT_OR_NULL,
                projects=COUNT,
                unconverted=COUNT,
            ),
        },
    ),
}


def _show_state(context: RequestContext) -> Any:
    found = read_state(context.registry)
    return {
        "database": found.is_database_reachable,
        "objects": found.is_store_reachable,
        "free": found.free,
        "channels": [
            {
                "channel": one.name,
                "public": one.public,
                "bytes": one.size,
                "quota": one.quota,
                "projects": one.projects,
                "unconverted": one.unconverted,
            }
            for one in found.channels
        ],
    }


ENDPOINTS = (
    Endpoint(
        "GET",
        "/state",
        "show-state",
        "Show what the channels take of the storage, what waits, and whether the stores answer.",
        RequiredRole.OPERATOR,
        _show_state,
        ResponseSpec("ServerState"),
    ),
)
