"""The conda channel: repodata, shards (CEP 16), channeldata, notices, and the packages.

`/CHANNEL/...` shows the label `main`, `/CHANNEL/label/LABEL/...` another one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Page
from twofold.server.pages import conda_pages
from twofold.server.pages.page_updates import make_etag
from twofold.server.proxy import lazy, offers, pages, v3_pages
from twofold.server.proxy.fetch import FileRequest
from twofold.server.proxy.sync import SyncResult
from twofold.server.registry import notices as notices_of_channel
from twofold.server.web.credentials import (
    authenticate,
    get_registry,
    routes_with_label,
    target_view,
)
from twofold.server.web.file_responses import (
    IMMUTABLE,
    count_download,
    is_plain_get,
    mark_repeatable,
    send_download,
    send_file,
    send_page,
)
from twofold.server.web.proxy_threads import in_proxy_threads


def get_subdir_file(request: Request) -> Response:
    """Send a package or one of the subdir's index pages."""
    registry, path = get_registry(request), request.path_params
    subdir, name = path["subdir"], path["filename"]
    if name.endswith((".conda", ".tar.bz2")):
        actor = authenticate(request)
        if is_plain_get(request):
            wanted = FileRequest(path["channel"], subdir, name)
            opened = pages.open_download(registry, actor, wanted)
            if opened is not None:
                count_download(request, registry, (path["channel"], subdir, name))
                return send_download(opened[0], name, opened[1])
        found = pages.get_package(registry, actor, path["channel"], subdir, name)
        return send_file(request, registry, found)
    page, public = pages.get_repodata(registry, target_view(request), subdir, name)
    if not page.is_stale:
        mark_repeatable(request, page.fresh_until)
    media = "application/zstd" if name.endswith(".zst") else "application/json"
    return send_page(request, page, media, public)


def get_v3_file(request: Request) -> Response:
    """Send repodata.json or the shard index with v3 records of wheels, or a package of theirs."""
    if request.path_params["filename"].endswith((".conda", ".tar.bz2")):
        return get_subdir_file(request)
    words = request.path_params
    page, public = v3_pages.get_repodata(
        get_registry(request), target_view(request), words["subdir"], words["filename"]
    )
    media = "application/zstd" if words["filename"].endswith(".zst") else "application/json"
    return send_page(request, page, media, public)


def get_v3_shard(request: Request) -> Response:
    """Send a shard (CEP 16) that may have v3 records of wheels."""
    words = request.path_params
    place = (words["subdir"], words["sha256"])
    found = v3_pages.get_shard(get_registry(request), target_view(request), *place)
    return _send_shard(request, *found)


def get_lazy_file(request: Request) -> Response:
    """Send a package that is made now, or a page that lists such packages."""
    _refuse_conda(request)
    registry, words = get_registry(request), request.path_params
    subdir, name = words["subdir"], words["filename"]
    if name.endswith((".conda", ".tar.bz2")):
        actor = authenticate(request)
        found = lazy.get_package(registry, actor, words["channel"], subdir, name)
        return send_file(request, registry, found)
    page, public = lazy.get_page(registry, target_view(request), subdir, name)
    media = "application/zstd" if name.endswith(".zst") else "application/json"
    return send_page(request, page, media, public)


def get_lazy_shard(request: Request) -> Response:
    """Send a shard of packages that are made when they are downloaded."""
    words = request.path_params
    place = (words["subdir"], words["sha256"])
    found = lazy.get_shard(get_registry(request), target_view(request), *place)
    return _send_shard(request, *found)


def get_lazy_notices(request: Request) -> Response:
    """Send the channel's notices, and why projects of its list cannot be offered (the first 20)."""
    registry, words = get_registry(request), request.path_params
    missing = lazy.list_missing(registry, authenticate(request), words["channel"])
    return _send_notices(request, dict(list(missing.items())[:20]))


def _send_notices(request: Request, missing: Mapping[str, str]) -> Response:
    registry = get_registry(request)
    found, public = notices_of_channel.list_active(registry, target_view(request))
    found += [notices_of_channel.make_missing(registry, *one) for one in missing.items()]
    body = json.dumps({"notices": [notice.to_json for notice in found]}).encode()
    return send_page(request, Page(body, make_etag(body), 0), "application/json", public)


def _refuse_conda(request: Request) -> None:
    """Raise Refused (403) for clients that need the true size of a package before they have it."""
    agent = request.headers.get("user-agent", "").lower()
    if agent.startswith("conda/") or "mamba/" in agent:
        channel = request.path_params["channel"]
        raise Refused(
            "unsupported-client",
            "conda cannot install from this address: its records have no size",
            f"use /{channel}/with/NAMES, or /{channel}/v3 with conda-pypi",
            403,
        )


def get_shard(request: Request) -> Response:
    """Send a shard (CEP 16)."""
    registry, path, actor = get_registry(request), request.path_params, authenticate(request)
    place = (path["channel"], path["subdir"], path["sha256"])
    return _send_shard(request, *pages.get_shard(registry, actor, *place))


def _send_shard(request: Request, body: bytes, public: bool) -> Response:
    page = Page(body, f'"{request.path_params["sha256"]}"', 0)
    return send_page(request, page, "application/zstd", public, freshness=IMMUTABLE)


def _ensure_offered(request: Request) -> SyncResult:
    """Offer the projects that the address names."""
    words = request.path_params
    wanted = offers.parse_names(words["channel"], words["names"], words.get("subdir", "noarch"))
    return offers.ensure_offered(get_registry(request), authenticate(request), wanted)


def get_offered_file(request: Request) -> Response:
    """Send a page of the channel once it has the projects that the address names.

    Its packages are the channel's own: their URLs hold no names.
    """
    words = request.path_params
    if words["filename"].endswith((".conda", ".tar.bz2")):
        return get_subdir_file(request)
    _ensure_offered(request)
    page, public = pages.get_repodata(
        get_registry(request), target_view(request), words["subdir"], words["filename"]
    )
    base = f"{str(request.base_url).rstrip('/')}/{words['channel']}/{words['subdir']}/"
    page = pages.with_base_url(page, words["filename"], base)
    media = "application/zstd" if words["filename"].endswith(".zst") else "application/json"
    return send_page(request, page, media, public)


def get_offered_notices(request: Request) -> Response:
    """Send the channel's notices, and why a project that the address names cannot be offered."""
    return _send_notices(request, _ensure_offered(request).missing)


def get_channeldata(request: Request) -> Response:
    """Send channeldata.json."""
    page, public = conda_pages.get_channeldata(get_registry(request), target_view(request))
    mark_repeatable(request)
    return send_page(request, page, "application/json", public)


def get_notices(request: Request) -> Response:
    """Send the channel's notices (CEP 6), which clients show; usually an empty list."""
    found, public = notices_of_channel.list_active(get_registry(request), target_view(request))
    body = json.dumps({"notices": [notice.to_json for notice in found]}).encode()
    return send_page(request, Page(body, make_etag(body), 0), "application/json", public)


routes = in_proxy_threads(
    [
        Route("/{channel}/with/{names}/channeldata.json", get_channeldata),
        Route("/{channel}/with/{names}/notices.json", get_offered_notices),
        Route("/{channel}/with/{names}/{subdir}/shards/{sha256}.msgpack.zst", get_shard),
        Route("/{channel}/with/{names}/{subdir}/{filename}", get_offered_file),
        Route("/{channel}/lazy/notices.json", get_lazy_notices),
        Route("/{channel}/lazy/{subdir}/shards/{sha256}.msgpack.zst", get_lazy_shard),
        Route("/{channel}/lazy/{subdir}/{filename}", get_lazy_file),
        *routes_with_label("/channeldata.json", get_channeldata),
        *routes_with_label("/notices.json", get_notices),
        *routes_with_label("/{subdir}/shards/{sha256}.msgpack.zst", get_shard),
        *routes_with_label("/v3/{subdir}/shards/{sha256}.msgpack.zst", get_v3_shard),
        *routes_with_label("/v3/{subdir}/{filename}", get_v3_file),
        *routes_with_label("/{subdir}/{filename}", get_subdir_file),
    ]
)
