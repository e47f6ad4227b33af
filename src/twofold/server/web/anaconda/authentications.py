"""Authentications: login, and tokens with a name, scopes and a maximum age."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts, authentications
from twofold.server.auth.permissions import is_password
from twofold.server.auth.tokens import PREFIX
from twofold.server.model import Actor, Token
from twofold.server.web.anaconda.owners import get_channel_name
from twofold.server.web.credentials import (
    authenticate,
    credentials_from,
    get_registry,
)
from twofold.server.web.json_body import JsonObject, with_json_body


def get_authentication_type(_request: Request) -> Response:
    """Ask the client to log in with a password."""
    return JSONResponse({"authentication_type": "password"})


def create(request: Request, body: JsonObject) -> Response:
    """Create a token for a username and password, or for a token with at least its permissions."""
    registry, actor = get_registry(request), _log_in(request)
    owner = body.text("user")
    wish = authentications.TokenSpec(
        name=body.text("note") or "anaconda-client",
        scopes=tuple(scope for scope in body.texts("scopes") if scope),
        max_age=body.number("max-age"),
        channel=accounts.find_owner_channel(registry, owner) if owner else None,
        fail_if_exists=body.flag("fail-if-exists"),
        hostname=body.text("hostname"),
        address=request.client.host if request.client else "",
    )
    return JSONResponse({"token": authentications.create(registry, actor, wish)})


def _log_in(request: Request) -> Actor:
    secret, user = credentials_from(request)
    scheme = request.headers.get("authorization", "").partition(" ")[0].lower()
    if scheme == "bearer" and not (secret or "").startswith(PREFIX):
        # The exact text that makes anaconda-client prompt for the password.
        raise Refused("no-bearer", "Bearer token authentication is not enabled", status=401)
    if not secret:
        raise Refused("no-login", "Log in with a user's name and password", status=401)
    if is_password(secret, user):
        return authenticate(request)
    return authentications.log_in(get_registry(request), user or "", secret)


def list_authentications(request: Request) -> Response:
    """List the caller's tokens."""
    found = authentications.list_all(get_registry(request), authenticate(request))
    return JSONResponse([_serialize(token) for token in found])


def show_current(request: Request) -> Response:
    """Show the token of this request."""
    return JSONResponse(_serialize(authentications.get_current_token(authenticate(request))))


def _serialize(token: Token) -> dict[str, Any]:
    """Serialize a token, without its secret; the client removes it by `application`."""
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
    """Remove tokens by name; for an organisation, only tokens restricted to its channel."""
    channel = get_channel_name(request) if "owner" in request.path_params else None
    name = request.path_params["name"]
    authentications.revoke(get_registry(request), authenticate(request), name, channel)
    return JSONResponse({}, 201)


def remove_current(request: Request) -> Response:
    """Revoke the token of this request (`anaconda logout`)."""
    authentications.revoke_current(get_registry(request), authenticate(request))
    return JSONResponse({}, 201)


def list_scopes(_request: Request) -> Response:
    """List the scopes a token can have."""
    known = {scope: text for scope, (_, text) in authentications.SCOPES.items()}
    return JSONResponse({**known, **authentications.NARROWING})


_BASE = "/api/authentications"

routes = [
    Route("/api/authentication-type", get_authentication_type),
    Route("/api/authentication", show_current),
    Route("/api/scopes", list_scopes),
    Route(_BASE, with_json_body(create), methods=["POST"]),
    Route(_BASE, list_authentications),
    Route(_BASE, remove_current, methods=["DELETE"]),
    Route(f"{_BASE}/name/{{name:path}}", remove, methods=["DELETE"]),
    Route(f"{_BASE}/org/{{owner}}/name/{{name:path}}", remove, methods=["DELETE"]),
]
