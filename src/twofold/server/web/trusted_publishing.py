"""Trusted publishing: PyPI's addresses at the host's root, and PEP 807's discovery for any channel.

PyPI's clients find `/_/oidc/audience` and `/_/oidc/mint-token` at the root of the host they upload
to; PEP 807's ask `/.well-known/pytp?discover=PATH-OF-THE-UPLOAD` where the two are.
"""

from __future__ import annotations

import json

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import trusted_publishers
from twofold.server.model import ANONYMOUS
from twofold.server.registry import queries
from twofold.server.web.blocks import stream_body
from twofold.server.web.credentials import get_registry
from twofold.server.web.error_responses import add_reason
from twofold.server.web.json_body import parse_json_object

DISCOVERY_MEDIA = "application/vnd.pypi.pytp.v1+json"

#: The largest body that holds an identity token (bytes); they come to some 2 kB.
LARGEST = 64 << 10


def audience(request: Request) -> Response:
    return JSONResponse({"audience": request.app.state.settings.audience})


async def mint_token(request: Request) -> Response:
    """An identity token in, a token for 15 minutes out."""
    try:
        token = await _token(request)
        minted = await run_in_threadpool(
            trusted_publishers.mint_token,
            get_registry(request),
            request.app.state.issuers,
            request.app.state.settings.audience,
            token,
            request.path_params.get("channel"),
        )
    except Refused as error:
        return _refusal(error)
    expires = int(minted.expires_at.timestamp())
    return JSONResponse({"success": True, "token": minted.token, "expires": expires})


async def _token(request: Request) -> str:
    too_large = Refused("invalid-payload", "The body is too large", status=422)
    body = b"".join([block async for block in stream_body(request, LARGEST, too_large)])
    try:
        token = parse_json_object(body).fields.get("token")
    except Refused:
        token = None
    if not isinstance(token, str):
        raise Refused("invalid-payload", "The body must be {'token': '...'}", status=422)
    return token


def _refusal(error: Refused) -> Response:
    first = error.problems[0]
    description = f"{first.message} ({first.hint})" if first.hint else first.message
    body = {
        "message": "Token request failed",
        "errors": [{"code": error.code, "description": description}],
    }
    return add_reason(JSONResponse(body, error.status), first.message)


def discover(request: Request) -> Response:
    """PEP 807: where the endpoints for an upload address are."""
    path = request.query_params.get("discover", "")
    channel, _, rest = path.strip("/").partition("/")
    if rest.strip("/") != "legacy":
        raise Refused("not-found", "There is no upload endpoint at that path", status=404)
    found = queries.get_channel(get_registry(request), ANONYMOUS, channel)
    base = f"{str(request.base_url).rstrip('/')}/{found.name}/_/oidc"
    body = {
        "audience-endpoint": f"{base}/audience",
        "token-mint-endpoint": f"{base}/mint-token",
        "features": [],
        "default-features": [],
    }
    return Response(json.dumps(body).encode(), media_type=DISCOVERY_MEDIA)


routes = [
    Route("/.well-known/pytp", discover),
    Route("/_/oidc/audience", audience),
    Route("/_/oidc/mint-token", mint_token, methods=["POST"]),
    Route("/{channel}/_/oidc/audience", audience),
    Route("/{channel}/_/oidc/mint-token", mint_token, methods=["POST"]),
]
