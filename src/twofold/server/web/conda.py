"""The conda channel: repodata, shards (CEP 16), channeldata, notices, and the packages.

`/CHANNEL/...` shows the label `main`, `/CHANNEL/label/LABEL/...` another one.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.model import Page
from twofold.server.pages import etag_of
from twofold.server.registry import conda_pages, fronting
from twofold.server.registry import notices as notices_of_channel
from twofold.server.web.asking import actor_of, registry_of, view_of
from twofold.server.web.sending import FOR_EVER, send_file, send_page


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
    page = Page(body, f'"{sha256}"', 0)
    return send_page(request, page, "application/zstd", public, life=FOR_EVER)


def channeldata(request: Request) -> Response:
    page, public = conda_pages.channeldata(registry_of(request), view_of(request))
    return send_page(request, page, "application/json", public)


def notices(request: Request) -> Response:
    """CEP 6: messages that clients show; none unless the channel has some."""
    found, public = notices_of_channel.all_of(registry_of(request), view_of(request))
    body = json.dumps({"notices": [notice.value for notice in found]}).encode()
    return send_page(request, Page(body, etag_of(body), 0), "application/json", public)


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
