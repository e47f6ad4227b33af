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
from twofold.server.registry import managing
from twofold.server.registry.managing import Needs
from twofold.server.web.asking import actor_of, guarded, registry_of
from twofold.server.web.management.calls import BASE, Asked, Call, Fields
from twofold.server.web.management.schema import checked, read_word, wrong
from twofold.server.web.problem import problem
from twofold.server.web.told import body_of, told_of


def routes(calls: Iterable[Call]) -> list[Route]:
    """One route a path, for all the calls there."""
    by_path: dict[str, dict[str, Call]] = {}
    for call in calls:
        by_path.setdefault(call.path, {})[call.method] = call
    return [Route(BASE + path, _Place(found)) for path, found in by_path.items()]


class _Place:
    """The calls of one path, by method."""

    def __init__(self, calls: Mapping[str, Call]) -> None:
        self.calls = calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send)
        response = await self.answer(request)
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        call = self.calls.get(method)
        if call is None:
            refusal = problem("http-405", "This address does not take that method", status=405)
            refusal.headers["allow"] = ", ".join(sorted(self.calls))
            return refusal
        body = await _body(request, call) if call.body is not None else {}
        return await run_in_threadpool(_perform, request, call, body)


async def _body(request: Request, call: Call) -> Mapping[str, Any]:
    content = await body_of(request)
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content and media != "application/json":
        hint = "send it as Content-Type: application/json"
        raise Refused("not-json", f"A body of JSON is expected, not {media!a}", hint, 415)
    if not content and call.body is not None and call.body.required:
        raise wrong("the body", f"is missing: {', '.join(call.body.required)}")
    return told_of(content).fields


def _perform(request: Request, call: Call, body: Mapping[str, Any]) -> Response:
    registry, actor = registry_of(request), actor_of(request)
    if actor.user is None and call.needs is not Needs.READ:
        managing.allowed(registry, actor, call.needs, {})
    words = {**_in_path(request, call), **_in_query(request, call), **_in_body(call, body)}
    actor = managing.allowed(registry, actor, call.needs, words)
    asked = Asked(registry, actor, words, lambda user: guarded(request, "a password", user))
    value = call.act(asked)
    answer = call.answer
    headers = {"cache-control": "no-store"}
    if value is None:
        return Response(status_code=204, headers=headers)
    if answer.media != "application/json":
        return Response(value, answer.status, headers, answer.media)
    return JSONResponse(value, answer.status, headers)


def _in_path(request: Request, call: Call) -> dict[str, Any]:
    told = request.path_params
    return {
        name: read_word(told[name], schema, f"'{name}' in the address")
        for name, schema in call.in_path.items()
    }


def _in_query(request: Request, call: Call) -> dict[str, Any]:
    try:
        query = request.url.query
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise wrong("the query", "cannot be read") from None
    told = dict(pairs)
    if len(told) != len(pairs):
        raise wrong("the query", "says a thing twice")
    _names_fit(told, call.query, "the query")
    return {
        name: read_word(told[name], schema, f"'{name}' in the query")
        for name, schema in call.query.named.items()
        if name in told
    }


def _in_body(call: Call, body: Mapping[str, Any]) -> dict[str, Any]:
    if call.body is None:
        return {}
    _names_fit(body, call.body, "the body")
    named = call.body.named
    return {
        name: checked(value, named[name], f"'{name}' in the body") for name, value in body.items()
    }


def _names_fit(told: Mapping[str, Any], fields: Fields, place: str) -> None:
    if unknown := sorted(set(told) - set(fields.named)):
        known = ", ".join(fields.named) or "nothing"
        raise wrong(place, f"says {unknown[0][:80]!a}, which is not among {known}")
    if missing := [name for name in fields.required if name not in told]:
        raise wrong(place, f"lacks {', '.join(missing)}")
