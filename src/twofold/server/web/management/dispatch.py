"""A call's row becomes a route: who asks, is the request right, may they, do it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from twofold.errors import Refused
from twofold.server.auth import required_roles
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.web.credentials import authenticate, get_registry, rate_limited
from twofold.server.web.error_responses import problem_response
from twofold.server.web.json_body import parse_json_object, read_body
from twofold.server.web.management.endpoints import BASE, Endpoint, FieldSpec, RequestContext
from twofold.server.web.management.parameters import check_value, invalid_request, parse_value


def make_routes(calls: Iterable[Endpoint]) -> list[Route]:
    """One route a path, for all the calls there."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for call in calls:
        by_path.setdefault(call.path, {})[call.method] = call
    return [Route(BASE + path, _Place(found)) for path, found in by_path.items()]


class _Place:
    """The calls of one path, by method."""

    def __init__(self, calls: Mapping[str, Endpoint]) -> None:
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self.answer(request)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        call = self.calls.get(method)
        if call is None:
            refusal = problem_response(
                "http-405", "This address does not take that method", status=405
            )
            refusal.headers["allow"] = ", ".join(sorted(self.calls))
            return refusal
        body = await _body(request, call) if call.body is not None else {}
        return await run_in_threadpool(_perform, request, call, body)


async def _body(request: Request, call: Endpoint) -> Mapping[str, Any]:
    content = await read_body(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content and media != "application/json":
        hint = "send it as Content-Type: application/json"
        raise Refused("not-json", f"A body of JSON is expected, not {media!a}", hint, 415)
    if not content and call.body is not None and call.body.required:
        raise invalid_request("the body", f"is missing: {', '.join(call.body.required)}")
    return parse_json_object(content).fields


def _perform(request: Request, call: Endpoint, body: Mapping[str, Any]) -> Response:
    registry, actor = get_registry(request), authenticate(request)
    if actor.user is None and call.required_role is not RequiredRole.READ:
        required_roles.authorize(registry, actor, call.required_role, {})
    words = {**_in_path(request, call), **_in_query(request, call), **_in_body(call, body)}
    actor = required_roles.authorize(registry, actor, call.required_role, words)
    asked = RequestContext(
        registry, actor, words, lambda user: rate_limited(request, "a password", user)
    )
    value = call.action(asked)
    answer = call.response
    headers = {"cache-control": "no-store"}
    if value is None:
        return Response(status_code=204, headers=headers)
    if answer.media != "application/json":
        return Response(value, answer.status, headers, answer.media)
    return JSONResponse(value, answer.status, headers)


def _in_path(request: Request, call: Endpoint) -> dict[str, Any]:
    told = request.path_params
    return {
        name: parse_value(told[name], schema, f"'{name}' in the address")
        for name, schema in call.path_fields.items()
    }


def _in_query(request: Request, call: Endpoint) -> dict[str, Any]:
    try:
        query = request.url.query
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise invalid_request("the query", "cannot be read") from None
    told = dict(pairs)
    if len(told) != len(pairs):
        raise invalid_request("the query", "says a thing twice")
    _names_fit(told, call.query, "the query")
    return {
        name: parse_value(told[name], schema, f"'{name}' in the query")
        for name, schema in call.query.named.items()
        if name in told
    }


def _in_body(call: Endpoint, body: Mapping[str, Any]) -> dict[str, Any]:
    if call.body is None:
        return {}
    _names_fit(body, call.body, "the body")
    named = call.body.named
    return {
        name: check_value(value, named[name], f"'{name}' in the body")
        for name, value in body.items()
    }


def _names_fit(told: Mapping[str, Any], fields: FieldSpec, place: str) -> None:
    if unknown := sorted(set(told) - set(fields.named)):
        known = ", ".join(fields.named) or "nothing"
        raise invalid_request(place, f"says {unknown[0][:80]!a}, which is not among {known}")
    if missing := [name for name in fields.required if name not in told]:
        raise invalid_request(place, f"lacks {', '.join(missing)}")
