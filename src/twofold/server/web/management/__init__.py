"""The management API at /api/manage, for remote administration.

endpoints           the Endpoint class, and how a request is dispatched to one
accounts, audit_log, channels, notices, policies, projects, server_state, sign_in, upstreams,
webhooks            the endpoints; each calls one function of the registry
parameters          JSON Schemas of request parameters, and their validation
response_schemas    JSON Schemas of responses, and serializers

This module renders /api/openapi.json (OpenAPI 3.1) from the endpoints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import twofold
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.context import Registry
from twofold.server.registry.administration import OPERATOR
from twofold.server.web.management import (
    accounts,
    audit_log,
    channels,
    endpoints,
    notices,
    policies,
    projects,
    server_state,
    sign_in,
    upstreams,
    webhooks,
)
from twofold.server.web.management.endpoints import (
    BASE,
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema
from twofold.server.web.management.response_schemas import SCHEMAS

ENDPOINTS = (
    *accounts.ENDPOINTS,
    *sign_in.ENDPOINTS,
    *channels.ENDPOINTS,
    *upstreams.ENDPOINTS,
    *policies.ENDPOINTS,
    *projects.ENDPOINTS,
    *notices.ENDPOINTS,
    *audit_log.ENDPOINTS,
    *webhooks.ENDPOINTS,
    *server_state.ENDPOINTS,
)


def call_as_operator(registry: Registry, endpoint: Endpoint, words: Mapping[str, Any]) -> Any:
    """Perform an endpoint as the operator at the store; returns its JSON value. Raises Refused."""
    context = RequestContext(registry, OPERATOR, words, lambda _user: nullcontext())
    return endpoint.action(context)


def openapi(request: Request) -> Response:
    """Send the OpenAPI document."""
    return JSONResponse(build_document(ENDPOINTS, str(request.base_url)))


routes = [Route("/api/openapi.json", openapi), *endpoints.make_routes(ENDPOINTS)]


_ABOUT = """\
Remote administration of the registry and its channels. Send a token as Bearer, or a username and
password as Basic. Each endpoint's description has the role it requires; operators are the user
'owner' and the administrators of the organisation 'operators'."""


def build_document(endpoints: Iterable[Endpoint], server: str) -> dict[str, Any]:
    """Return the OpenAPI document; `server` is the registry's URL."""
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(BASE + endpoint.path, {})[endpoint.method.lower()] = _describe_operation(
            endpoint
        )
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
            "schemas": {
                **SCHEMAS,
                **sign_in.SCHEMAS,
                **notices.SCHEMAS,
                **policies.SCHEMAS,
                **server_state.SCHEMAS,
                **webhooks.SCHEMAS,
            },
            "responses": {
                "Problem": {
                    "description": "The request is refused; the reason is in the status line too",
                    "content": {"application/problem+json": {"schema": _ref("Problem")}},
                }
            },
        },
    }


def _describe_operation(endpoint: Endpoint) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": endpoint.name,
        "summary": endpoint.summary,
        "description": f"Needs {endpoint.required_role}.",
        "tags": [endpoint.path.split("/")[1].partition(".")[0]],
        "parameters": [
            *(
                _describe_parameter(name, schema, "path", True)
                for name, schema in endpoint.path_fields.items()
            ),
            *(
                _describe_parameter(name, schema, "query", name in endpoint.query.required)
                for name, schema in endpoint.query.named.items()
            ),
        ],
        "responses": {
            str(endpoint.response.status): _describe_response(endpoint.response),
            "4XX": {"$ref": "#/components/responses/Problem"},
            "503": {"$ref": "#/components/responses/Problem"},
        },
    }
    if endpoint.body is not None:
        operation["requestBody"] = {
            "required": bool(endpoint.body.required),
            "content": {"application/json": {"schema": _describe_body(endpoint.body)}},
        }
    if endpoint.required_role is RequiredRole.READ:  # of public channels everybody may
        operation["security"] = [{"token": []}, {"password": []}, {}]
    return operation


def _describe_parameter(name: str, schema: Schema, where: str, required: bool) -> dict[str, Any]:
    return {"name": name, "in": where, "required": required, "schema": dict(schema)}


def _describe_body(fields: FieldSpec) -> dict[str, Any]:
    choices = [
        {"required": [name], "properties": {name: {"const": True}}}
        if fields.named[name].get("type") == "boolean"
        else {"required": [name]}
        for name in fields.one_of
    ]
    return {
        **({"oneOf": choices} if choices else {}),
        "type": "object",
        "properties": {name: dict(schema) for name, schema in fields.named.items()},
        "required": list(fields.required),
        "additionalProperties": False,
    }


def _describe_response(answer: ResponseSpec) -> dict[str, Any]:
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
