"""The conda channel: repodata, shards (CEP 16), channeldata, notices, and the packages.

`/CHANNEL/...` shows the label `main`, `/CHANNEL/label/LABEL/...` another one.
"""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.registry import conda_pages, fronting, looking
from twofold.server.web.asking import actor_of, registry_of, view_of
from twofold.server.web.sending import FOR_EVER, cache_control, send_file, send_page


def in_subdir(request: Request) -> Response:
    """A package, or one of the pages that describe the subdir."""
    registry, words = registry_of(request), request.path_params
    subdir, name = words["subdir"], words["filename"]
    if name.endswith((".conda", ".tar.bz2")):
        found = fronting.package(registry, actor_of(request), words["channel"], subdir, name)
        return send_file(request, registry, found)
    page, public = fronting.repodata(registry, view_of(request), subdir, name)
    media = "application/zstd" if name.endswith(".zst") else "application/json"
    return send_page(request, page, media, public)


def shard(request: Request) -> Response:
    registry, words, actor = registry_of(request), request.path_params, actor_of(request)
    sha256 = words["sha256"]
    place = (words["channel"], words["subdir"], sha256)
    body, public = fronting.shard(registry, actor, *place)
    headers = {"etag": f'"{sha256}"', "cache-control": cache_control(public, FOR_EVER)}
    return Response(body, 200, headers, "application/zstd")


def channeldata(request: Request) -> Response:
    page, public = conda_pages.channeldata(registry_of(request), view_of(request))
    return send_page(request, page, "application/json", public)


def notices(request: Request) -> Response:
    """CEP 6: messages that clients show; none unless the channel has some."""
    registry, channel = registry_of(request), request.path_params["channel"]
    found = looking.channel(registry, actor_of(request), channel)
    return JSONResponse({"notices": found.settings.get("notices", [])})


def _both(path: str, endpoint: Callable[[Request], Response]) -> list[Route]:
    return [
        Route(f"/{{channel}}{path}", endpoint),
        Route(f"/{{channel}}/label/{{label}}{path}", endpoint),
    ]


routes = [
    *_both("/channeldata.json", channeldata),
    *_both("/notices.json", notices),
    *_both("/{subdir}/shards/{sha256}.msgpack.zst", shard),
    *_both("/{subdir}/{filename}", in_subdir),
]
