"""Trusted publishing: PyPI's endpoints at the host's root, and PEP 807's discovery for any channel.

PyPI's clients use `/_/oidc/audience` and `/_/oidc/mint-token` at the root of the upload host;
clients of PEP 807 find the two with `/.well-known/pytp?discover=PATH-OF-THE-UPLOAD`.
"""

from __future__ import annotations

import json
import re

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import trusted_publishers
from twofold.server.web.credentials import get_registry
from twofold.server.web.error_responses import add_reason
from twofold.server.web.json_body import parse_json_object
from twofold.server.web.request_body import stream_body

DISCOVERY_MEDIA = "application/vnd.pypi.pytp.v1+json"

_CHANNEL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

#: Maximum size of a body with an identity token (bytes); tokens have some 2 kB.
MAX_BYTES = 64 << 10


def get_audience(request: Request) -> Response:
    """Return the audience for identity tokens."""
    return JSONResponse({"audience": request.app.state.settings.own_audience})


async def mint_token(request: Request) -> Response:
    """Exchange an identity token for an upload token valid for 15 minutes."""
    try:
        token = await _read_token(request)
        minted = await run_in_threadpool(
            trusted_publishers.mint_token,
            get_registry(request),
            request.app.state.issuers,
            request.app.state.settings.own_audience,
            token,
            request.path_params.get("channel"),
        )
    except Refused as error:
        return _error_response(error)
    expires = int(minted.expires_at.timestamp())
    return JSONResponse({"success": True, "token": minted.token, "expires": expires})


async def _read_token(request: Request) -> str:
    too_large = Refused("invalid-payload", "The body is too large", status=422)
    body = b"".join([block async for block in stream_body(request, MAX_BYTES, too_large)])
    try:
        token = parse_json_object(body).fields.get("token")
    except Refused:
        token = None
    if not isinstance(token, str):
        raise Refused("invalid-payload", "The body must be {'token': '...'}", status=422)
    return token


def _error_response(error: Refused) -> Response:
    first = error.problems[0]
    description = f"{first.message} ({first.hint})" if first.hint else first.message
    body = {
        "message": "Token request failed",
        "errors": [{"code": error.code, "description": description}],
    }
    return add_reason(JSONResponse(body, error.status), first.message)


def discover(request: Request) -> Response:
    """Return the endpoints for an upload URL (PEP 807)."""
    path = request.query_params.get("discover", "")
    channel, _, rest = path.strip("/").partition("/")
    if rest.strip("/") != "legacy" or not _CHANNEL_NAME.fullmatch(channel):
        raise Refused("not-found", "There is no upload endpoint at that path", status=404)
    # Of private channels too, and without looking whether there is one: nobody learns of it.
    base = f"{str(request.base_url).rstrip('/')}/{channel}/_/oidc"
    body = {
        "audience-endpoint": f"{base}/audience",
        "token-mint-endpoint": f"{base}/mint-token",
        "features": [],
        "default-features": [],
    }
    return Response(json.dumps(body).encode(), media_type=DISCOVERY_MEDIA)


routes = [
    Route("/.well-known/pytp", discover),
    Route("/_/oidc/audience", get_audience),
    Route("/_/oidc/mint-token", mint_token, methods=["POST"]),
    Route("/{channel}/_/oidc/audience", get_audience),
    Route("/{channel}/_/oidc/mint-token", mint_token, methods=["POST"]),
]
