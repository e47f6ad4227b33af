"""Owners: the server itself, users, organisations, and the channels that stand for them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Actor, Channel, User
from twofold.server.registry import looking, people
from twofold.server.web.asking import actor_of, registry_of


def channel_of(request: Request) -> str:
    """The name of the channel that the address means by its owner."""
    return people.channel_of_owner(registry_of(request), request.path_params["owner"])


def own_channel(request: Request, actor: Actor) -> str:
    """The name of the actor's own channel."""
    return people.channel_of_owner(registry_of(request), logged_in(actor).name)


def logged_in(actor: Actor) -> User:
    if actor.user is None:
        raise Refused("no-login", "Log in first", "anaconda login", status=401)
    return actor.user


def root(_request: Request) -> Response:
    """The client's question whether the server is there (HEAD)."""
    return JSONResponse({"product": "twofold"})


def user(request: Request) -> Response:
    """Who asks, or an owner by its name; a channel that is nobody's name counts as one too."""
    registry, actor = registry_of(request), actor_of(request)
    name = request.path_params.get("owner")
    if name is None:
        return JSONResponse(_user(logged_in(actor)))
    try:
        return JSONResponse(_user(people.user(registry, name)))
    except Refused as error:
        if error.status != 404:
            raise
        return JSONResponse(_channel(looking.channel(registry, actor, name)))


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
        people.user(registry_of(request), request.path_params["owner"])
    else:
        logged_in(actor_of(request))
    return JSONResponse([])


routes = [
    Route("/api", root),
    Route("/api/", root),
    Route("/api/user", user),
    Route("/api/user/orgs", organisations),
    Route("/api/user/{owner}", user),
    Route("/api/users/{owner}/orgs", organisations),
]
