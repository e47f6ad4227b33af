"""Threads for requests that may wait for an upstream: those of all other requests stay free.

Starlette runs every view in one pool of forty threads. A few dozen readers of one channel whose
upstream hangs would hold them all, and with them uploads, other channels and `/healthz`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from typing import Any

from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.context import Registry

#: Requests of channels with an upstream at the same time.
MAX_THREADS = 64


def in_proxy_threads(routes: list[Route]) -> list[Route]:
    """Return the routes with views that leave the common pool for a channel with an upstream."""
    return [_wrap(route) for route in routes]


def _wrap(route: Route) -> Route:
    view: Callable[[Request], Response] = route.endpoint
    methods = sorted(route.methods or ())
    return Route(route.path, _choose_pool(view), methods=methods, name=route.name)


def _choose_pool(
    view: Callable[[Request], Response],
) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    @functools.wraps(view)
    async def run(request: Request) -> Response:
        registry: Registry = request.app.state.registry
        words = request.path_params
        channel = words.get("channel") or words.get("owner") or ""
        if registry.proxied_channels.may_be_proxied(channel):
            return await to_thread.run_sync(view, request, limiter=_find_limiter(request))
        return await run_in_threadpool(view, request)

    return run


def _find_limiter(request: Request) -> CapacityLimiter:
    """Return the limiter of this application; it belongs to the running loop."""
    state = request.app.state
    if not hasattr(state, "proxy_threads"):
        state.proxy_threads = CapacityLimiter(MAX_THREADS)
    limiter: CapacityLimiter = state.proxy_threads
    return limiter
