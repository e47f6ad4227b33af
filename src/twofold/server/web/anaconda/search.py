"""Lists of packages: an owner's, one's own, or what a word finds."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.registry import queries
from twofold.server.registry.queries import SearchHit
from twofold.server.web.anaconda import serializers
from twofold.server.web.anaconda.owners import get_channel_name, get_own_channel_name
from twofold.server.web.credentials import authenticate, get_registry


def packages(request: Request) -> Response:
    registry, actor = get_registry(request), authenticate(request)
    named = "owner" in request.path_params
    channel = get_channel_name(request) if named else get_own_channel_name(request, actor)
    return _answer(request, queries.list_channel_projects(registry, actor, channel))


def search(request: Request) -> Response:
    """Every channel that the asker may read is searched."""
    word = request.query_params.get("name", "")
    if not word.isprintable():
        raise Refused("malformed-query", "The word to search for cannot be read")
    return _answer(request, queries.search(get_registry(request), authenticate(request), word))


def _answer(request: Request, hits: Iterable[SearchHit]) -> Response:
    """Filtered by `type` or `package_type`, `platform` and `access`, where the query tells them."""
    query = request.query_params
    wanted_type = query.get("package_type") or query.get("type")
    platform, access = query.get("platform"), query.get("access")
    shown = []
    for hit in hits:
        one = serializers.serialize_hit(hit)
        if (
            (not wanted_type or wanted_type in one["package_types"])
            and (not platform or platform in one["conda_platforms"])
            and (not access or (access == "public") == one["public"])
        ):
            shown.append(one)
    return JSONResponse(shown)


routes = [
    Route("/api/packages", packages),
    Route("/api/packages/{owner}", packages),
    Route("/api/search", search),
]
