"""The table of calls as an OpenAPI 3.1 document."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import twofold
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.web.management.endpoints import BASE, Endpoint, FieldSpec, ResponseSpec
from twofold.server.web.management.parameters import Schema
from twofold.server.web.management.response_schemas import SCHEMAS

_ABOUT = """\
Everything that an administrator of the registry or of a channel does from afar. Send a token as
Bearer, or a user's name and password as Basic. What each call needs stands in its description;
operators are the user 'owner' and the administrators of the organisation 'operators'."""


def build_document(calls: Iterable[Endpoint], server: str) -> dict[str, Any]:
    """`server` is the registry's address."""
    paths: dict[str, dict[str, Any]] = {}
    for call in calls:
        paths.setdefault(BASE + call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "twofold registry",
            "version": twofold.__version__,
            "description": _ABOUT,
        },
        "servers": [{"url": server.rstrip("/")}],
        "security": [{"token": []}, {"password": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "password": {"type": "http", "scheme": "basic"},
            },
            "schemas": SCHEMAS,
            "responses": {
                "Problem": {
                    "description": "The request is refused; the reason is in the status line too",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
        },
    }


def _operation(call: Endpoint) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": f"Needs {call.required_role}.",
        "tags": [call.path.split("/")[1].partition(".")[0]],
        "parameters": [
            *(_parameter(name, schema, "path", True) for name, schema in call.path_fields.items()),
            *(
                _parameter(name, schema, "query", name in call.query.required)
                for name, schema in call.query.named.items()
            ),
        ],
        "responses": {
            str(call.response.status): _response(call.response),
            "4XX": {"$ref": "#/components/responses/Problem"},
            "503": {"$ref": "#/components/responses/Problem"},
        },
    }
    if call.body is not None:
        made["requestBody"] = {
            "required": bool(call.body.required),
            "content": {"application/json": {"schema": _body(call.body)}},
        }
    if call.required_role is RequiredRole.READ:  # of public channels everybody may
        made["security"] = [{"token": []}, {"password": []}, {}]
    return made


def _parameter(name: str, schema: Schema, place: str, required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": dict(schema)}


def _body(fields: FieldSpec) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: dict(schema) for name, schema in fields.named.items()},
        "required": list(fields.required),
        "additionalProperties": False,
    }


def _response(answer: ResponseSpec) -> dict[str, Any]:
    if answer.media == "text/csv":
        content: dict[str, Any] = {"text/csv": {"schema": {"type": "string"}}}
    elif answer.schema:
        one = _ref(answer.schema)
        schema = {"type": "array", "items": one} if answer.is_list else one
        content = {"application/json": {"schema": schema}}
    else:
        return {"description": "Done"}
    return {"description": "Done", "content": content}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
