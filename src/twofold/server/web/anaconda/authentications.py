"""Authentications: logging in, and tokens with a name, scopes and an age."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts, authentications
from twofold.server.auth.tokens import PREFIX
from twofold.server.model import Actor, Token
from twofold.server.web.anaconda.owners import get_channel_name
from twofold.server.web.credentials import (
    authenticate,
    credentials_from,
    get_registry,
    rate_limited,
)
from twofold.server.web.json_body import JsonObject, with_json_body


def authentication_type(_request: Request) -> Response:
    return JSONResponse({"authentication_type": "password"})


def create(request: Request, told: JsonObject) -> Response:
    """A token, for a user's name and password or for a token that may do at least as much."""
    registry, actor = get_registry(request), _who(request)
    owner = told.text("user")
    wish = authentications.TokenSpec(
        name=told.text("note") or "anaconda-client",
        scopes=tuple(scope for scope in told.texts("scopes") if scope),
        max_age=told.number("max-age"),
        channel=accounts.find_owner_channel(registry, owner) if owner else None,
        fail_if_exists=told.flag("fail-if-exists"),
        hostname=told.text("hostname"),
        address=request.client.host if request.client else "",
    )
    return JSONResponse({"token": authentications.create(registry, actor, wish)})


def _who(request: Request) -> Actor:
    secret, user = credentials_from(request)
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if scheme == "bearer" and not (secret or "").startswith(PREFIX):
        # The exact words that make anaconda-client ask for the password.
        raise Refused("no-bearer", "Bearer token authentication is not enabled", status=401)
    if not secret:
        raise Refused("no-login", "Log in with a user's name and password", status=401)
    with rate_limited(request, secret, user):
        return authentications.log_in(get_registry(request), user or "", secret)


def list_all(request: Request) -> Response:
    found = authentications.list_all(get_registry(request), authenticate(request))
    return JSONResponse([_shown(token) for token in found])


def current(request: Request) -> Response:
    return JSONResponse(_shown(authentications.get_current_token(authenticate(request))))


def _shown(token: Token) -> dict[str, Any]:
    """`application` is the name by which the client removes it. The token itself is never told."""
    more = token.application
    return {
        "id": str(token.id),
        "application": token.name,
        "remote_addr": more.get("remote_addr", ""),
        "hostname": more.get("hostname", ""),
        "created_at": token.created_at.isoformat(),
        "expires": token.expires_at.isoformat() if token.expires_at else None,
        "scopes": more.get("scopes") or sorted(token.actions),
        "token": token.shown,
    }


def remove(request: Request) -> Response:
    """By its name; of an organisation's tokens, those that are good for its channel alone."""
    channel = get_channel_name(request) if "owner" in request.path_params else None
    name = request.path_params["name"]
    authentications.revoke(get_registry(request), authenticate(request), name, channel)
    return JSONResponse({}, 201)


def remove_current(request: Request) -> Response:
    """The end of the login that the request is made with (`anaconda logout`)."""
    authentications.revoke_current(get_registry(request), authenticate(request))
    return JSONResponse({}, 201)


def scopes(_request: Request) -> Response:
    told = {scope: text for scope, (_, text) in authentications.SCOPES.items()}
    return JSONResponse({**told, **authentications.NARROWING})


_ALL = "/api/authentications"

routes = [
    Route("/api/authentication-type", authentication_type),
    Route("/api/authentication", current),
    Route("/api/scopes", scopes),
    Route(_ALL, with_json_body(create), methods=["POST"]),
    Route(_ALL, list_all),
    Route(_ALL, remove_current, methods=["DELETE"]),
    Route(f"{_ALL}/name/{{name:path}}", remove, methods=["DELETE"]),
    Route(f"{_ALL}/org/{{owner}}/name/{{name:path}}", remove, methods=["DELETE"]),
]
