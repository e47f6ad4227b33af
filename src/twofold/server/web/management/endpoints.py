"""An endpoint of the management API, and how a request is dispatched to one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from twofold.server.auth import required_roles
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.context import Registry
from twofold.server.model import Actor
from twofold.server.web.credentials import authenticate, get_registry, rate_limited
from twofold.server.web.error_responses import problem_response
from twofold.server.web.json_body import parse_json_object, read_json
from twofold.server.web.management.parameters import (
    IN_PATH,
    Schema,
    check_value,
    invalid_request,
    parse_value,
)

#: Path prefix of all endpoints.
BASE = "/api/manage"


@dataclass(frozen=True)
class RequestContext:
    """A validated request: the caller, and the parameters from path, query and body.

    `rate_limited(user)` is the context for a password check.
    """

    registry: Registry
    actor: Actor
    parameters: Mapping[str, Any]
    rate_limited: Callable[[str], AbstractContextManager[None]]

    def __getitem__(self, name: str) -> Any:
        return self.parameters[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Return a parameter, or the default if it is missing."""
        return self.parameters.get(name, default)


@dataclass(frozen=True)
class FieldSpec:
    """The fields of a body or a query: name -> schema, and the required names.

    Exactly one of `one_of` is required too; a flag among them counts when it is true.
    """

    named: Mapping[str, Schema] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    one_of: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResponseSpec:
    """The response: the name of a response schema ('' for no content), one or a list."""

    schema: str = ""
    is_list: bool = False
    status: int = 200
    media: str = "application/json"


@dataclass(frozen=True)
class Endpoint:
    """One method of one path; `path` is relative to BASE, `action` returns the JSON value."""

    method: str
    path: str
    name: str
    summary: str
    required_role: RequiredRole
    action: Callable[[RequestContext], Any]
    response: ResponseSpec = field(default_factory=lambda: ResponseSpec(status=204))
    body: FieldSpec | None = None
    query: FieldSpec = field(default_factory=FieldSpec)

    @property
    def path_fields(self) -> dict[str, Schema]:
        """Schemas of the parameters in the path, in order."""
        return {name: IN_PATH[name] for name in re.findall(r"\{(\w+)\}", self.path)}


def make_routes(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Return one route a path, for all its methods."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [Route(BASE + path, _PathEndpoint(found)) for path, found in by_path.items()]


class _PathEndpoint:
    """The ASGI endpoint of one path: dispatches by method."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self.endpoints = endpoints

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self.handle(request)
        await response(scope, receive, send)

    async def handle(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        endpoint = self.endpoints.get(method)
        if endpoint is None:
            refusal = problem_response(
                "http-405", "This URL does not support that method", status=405
            )
            refusal.headers["allow"] = ", ".join(sorted(self.endpoints))
            return refusal
        body = await _read_json(request, endpoint) if endpoint.body is not None else {}
        return await run_in_threadpool(_perform, request, endpoint, body)


async def _read_json(request: Request, endpoint: Endpoint) -> Mapping[str, Any]:
    content = await read_json(request)
    if not content and endpoint.body is not None and endpoint.body.required:
        raise invalid_request("the body", f"is missing: {', '.join(endpoint.body.required)}")
    return parse_json_object(content).fields


def _perform(request: Request, endpoint: Endpoint, body: Mapping[str, Any]) -> Response:
    registry, actor = get_registry(request), authenticate(request)
    if actor.user is None and endpoint.required_role is not RequiredRole.READ:
        required_roles.authorize(registry, actor, endpoint.required_role, {})
    words = {
        **_read_path(request, endpoint),
        **_read_query(request, endpoint),
        **_check_body(endpoint, body),
    }
    value = run_endpoint(request, actor, endpoint, words)
    answer = endpoint.response
    headers = {"cache-control": "no-store"}
    if value is None:
        return Response(status_code=204, headers=headers)
    if answer.media != "application/json":
        return Response(value, answer.status, headers, answer.media)
    return JSONResponse(value, answer.status, headers)


def run_endpoint(
    request: Request, actor: Actor, endpoint: Endpoint, words: Mapping[str, Any]
) -> Any:
    """Perform an endpoint with checked parameters, for the API and the pages alike.

    Raises Refused: 401 without a login, 403, 404, and what the action refuses.
    """
    registry = get_registry(request)
    actor = required_roles.authorize(registry, actor, endpoint.required_role, words)
    context = RequestContext(
        registry, actor, words, lambda user: rate_limited(request, "a password", user)
    )
    return endpoint.action(context)


def _read_path(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    given = request.path_params
    return {
        name: parse_value(given[name], schema, f"'{name}' in the path")
        for name, schema in endpoint.path_fields.items()
    }


def _read_query(request: Request, endpoint: Endpoint) -> dict[str, Any]:
    try:
        query = request.url.query
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise invalid_request("the query", "cannot be read") from None
    given = dict(pairs)
    if len(given) != len(pairs):
        raise invalid_request("the query", "has a parameter twice")
    _check_names(given, endpoint.query, "the query")
    return {
        name: parse_value(given[name], schema, f"'{name}' in the query")
        for name, schema in endpoint.query.named.items()
        if name in given
    }


def _check_body(endpoint: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    if endpoint.body is None:
        return {}
    _check_names(body, endpoint.body, "the body")
    named = endpoint.body.named
    return {
        name: check_value(value, named[name], f"'{name}' in the body")
        for name, value in body.items()
    }


def _check_names(given: Mapping[str, Any], fields: FieldSpec, where: str) -> None:
    if unknown := sorted(set(given) - set(fields.named)):
        known = ", ".join(fields.named) or "nothing"
        raise invalid_request(
            where, f"has the unknown field {unknown[0][:80]!a}; known fields: {known}"
        )
    if missing := [name for name in fields.required if name not in given]:
        raise invalid_request(where, f"is missing {', '.join(missing)}")
