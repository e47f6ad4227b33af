"""Owners: the server itself, users, organisations and channels."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.model import Actor, Channel, User
from twofold.server.registry import queries
from twofold.server.web.credentials import authenticate, get_registry


def get_channel_name(request: Request) -> str:
    """Return the name of the channel for the owner in the path."""
    return accounts.find_owner_channel(get_registry(request), request.path_params["owner"])


def get_own_channel_name(request: Request, actor: Actor) -> str:
    """Return the name of the actor's own channel."""
    return accounts.find_owner_channel(get_registry(request), require_login(actor).name)


def require_login(actor: Actor) -> User:
    """Return the caller's user. Raises Refused (401) for an anonymous caller."""
    if actor.user is None:
        raise Refused("no-login", "Log in first", "anaconda login", status=401)
    return actor.user


def show_product(_request: Request) -> Response:
    """Answer the client's check that the server is running (HEAD)."""
    return JSONResponse({"product": "twofold"})


def show_owner(request: Request) -> Response:
    """Show the caller or the named owner; a channel without such a user is an owner too.

    Users are shown to users alone: to others, a name that only a user has is like any unknown one.
    """
    registry, actor = get_registry(request), _authenticate_client(request)
    name = request.path_params.get("owner")
    if name is None:
        return JSONResponse(_serialize_user(require_login(actor)))
    if actor.user is None:
        return JSONResponse(_serialize_channel(queries.get_channel(registry, actor, name)))
    try:
        return JSONResponse(_serialize_user(accounts.get_user(registry, name)))
    except Refused as error:
        if error.status != 404:
            raise
        return JSONResponse(_serialize_channel(queries.get_channel(registry, actor, name)))


def _authenticate_client(request: Request) -> Actor:
    """Authenticate, but refuse a token that has ended with 403.

    anaconda-client takes a 401 here for "not logged in" and hides why the token is refused.
    """
    try:
        return authenticate(request)
    except Refused as error:
        if error.code not in ("revoked-token", "expired-token"):
            raise
        first = error.problems[0]
        raise Refused(error.code, first.message, first.hint or "", 403) from error


def _serialize_user(found: User) -> dict[str, Any]:
    return {
        "login": found.name,
        "name": found.name,
        "created_at": found.created_at.isoformat(),
        "user_type": "user" if found.kind == "user" else "org",
    }


def _serialize_channel(found: Channel) -> dict[str, Any]:
    return {
        "login": found.name,
        "name": found.name,
        "created_at": "1970-01-01T00:00:00+00:00",
        "user_type": "org",
    }


def list_organisations(request: Request) -> Response:
    """Return no organisations: anaconda-client requests them, but channels have roles here."""
    if "owner" in request.path_params:
        accounts.get_user(get_registry(request), request.path_params["owner"])
    else:
        require_login(authenticate(request))
    return JSONResponse([])


routes = [
    Route("/api", show_product),
    Route("/api/", show_product),
    Route("/api/user", show_owner),
    Route("/api/user/orgs", list_organisations),
    Route("/api/user/{owner}", show_owner),
    Route("/api/users/{owner}/orgs", list_organisations),
]
