"""Errors as pages: a request that prefers text/html gets one in place of problem+json.

Status, headers and reason phrase stay those of the problem, so nothing depends on the body.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from functools import lru_cache
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twofold.server.web.accept import parse_accept
from twofold.server.web.pages.render import render

_PROBLEM = b"application/problem+json"

#: Status -> heading of its page; others have the phrase of the status.
_HEADINGS = {
    400: "This request cannot be understood",
    401: "Sign in to see this",
    403: "This is not open to you",
    404: "There is nothing here",
    429: "Too many attempts",
    500: "The registry made a mistake",
    503: "The registry is not available",
}


@lru_cache(maxsize=64)  # every request that is not answered by the fast path asks
def prefers_html(accept: str) -> bool:
    """Whether an Accept header names text/html, and no media type of programs before it."""
    qualities = parse_accept(accept)
    html = qualities.get("text/html", 0.0)
    others = [value for media, value in qualities.items() if "json" in media or "simple" in media]
    return html > 0 and html >= max(others, default=0.0)


def make_error_page(request: Request, problem: Response) -> Response:
    """Make the page of a problem response, with its status and most of its headers."""
    value = json.loads(bytes(problem.body))
    heading = _HEADINGS.get(problem.status_code, value["title"])
    values = {"heading": heading, "problem": value}
    page = render(request, "error.html", values, public=False, status=problem.status_code)
    # A browser would ask for a password itself: the page links to the sign-in.
    replaced = (b"content-type", b"content-length", b"cache-control", b"www-authenticate")
    own = [pair for pair in page.raw_headers if pair[0] != b"cache-control"]
    problem_headers = [pair for pair in problem.raw_headers if pair[0] not in replaced]
    page.raw_headers = [
        *own,
        *(pair for pair in problem_headers if pair[0] not in {name for name, _ in own}),
        (b"cache-control", b"no-store"),
    ]
    return page


Handler = Callable[[Request, Exception], Awaitable[Response]]


def with_page(handler: Handler) -> Handler:
    """Return an error handler that answers browsers with a page."""

    async def handle(request: Request, error: Exception) -> Response:
        problem = await handler(request, error)
        if not prefers_html(request.headers.get("accept", "")):
            return problem
        return await run_in_threadpool(make_error_page, request, problem)

    return handle


class ErrorPages:
    """Middleware: pages in place of the problems that middleware and views answer themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request; one that does not prefer HTML passes untouched."""
        accept = next((value for name, value in scope.get("headers", ()) if name == b"accept"), b"")
        if scope["type"] != "http" or not prefers_html(accept.decode("latin-1")):
            await self.app(scope, receive, send)
            return
        begun: list[Message] = []
        body = bytearray()

        async def replace(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_problem(message):
                begun.append(message)
            elif not begun:
                await send(message)
            else:
                body.extend(message.get("body", b""))
                if not message.get("more_body"):
                    problem = Response(bytes(body), begun[0]["status"])
                    problem.raw_headers = list(begun[0]["headers"])
                    page = await run_in_threadpool(make_error_page, Request(scope), problem)
                    await page(scope, receive, send)

        await self.app(scope, receive, replace)


def _is_problem(message: dict[str, Any] | Any) -> bool:
    return any(name == b"content-type" and value == _PROBLEM for name, value in message["headers"])
