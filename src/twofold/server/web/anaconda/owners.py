"""Owners: the server itself, users, organisations, and the channels that stand for them."""

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
    """The name of the channel that the address means by its owner."""
    return accounts.find_owner_channel(get_registry(request), request.path_params["owner"])


def get_own_channel_name(request: Request, actor: Actor) -> str:
    """The name of the actor's own channel."""
    return accounts.find_owner_channel(get_registry(request), require_login(actor).name)


def require_login(actor: Actor) -> User:
    if actor.user is None:
        raise Refused("no-login", "Log in first", "anaconda login", status=401)
    return actor.user


def root(_request: Request) -> Response:
    """The client's question whether the server is there (HEAD)."""
    return JSONResponse({"product": "twofold"})


def user(request: Request) -> Response:
    """Who asks, or an owner by its name; a channel that is nobody's name counts as one too."""
    registry, actor = get_registry(request), authenticate(request)
    name = request.path_params.get("owner")
    if name is None:
        return JSONResponse(_user(require_login(actor)))
    try:
        return JSONResponse(_user(accounts.get_user(registry, name)))
    except Refused as error:
        if error.status != 404:
            raise
        return JSONResponse(_channel(queries.get_channel(registry, actor, name)))


def _user(found: User) -> dict[str, Any]:
    return {
        "login": found.name,
        "name": found.name,
        "created_at": found.created_at.isoformat(),
        "user_type": "user" if found.kind == "user" else "org",
    }


def _channel(found: Channel) -> dict[str, Any]:
    return {
        "login": found.name,
        "name": found.name,
        "created_at": "1970-01-01T00:00:00+00:00",
        "user_type": "org",
    }


def organisations(request: Request) -> Response:
    """The client asks for them when it shows a user; channels and roles say it all here."""
    if "owner" in request.path_params:
        accounts.get_user(get_registry(request), request.path_params["owner"])
    else:
        require_login(authenticate(request))
    return JSONResponse([])


routes = [
    Route("/api", root),
    Route("/api/", root),
    Route("/api/user", user),
    Route("/api/user/orgs", organisations),
    Route("/api/user/{owner}", user),
    Route("/api/users/{owner}/orgs", organisations),
]
