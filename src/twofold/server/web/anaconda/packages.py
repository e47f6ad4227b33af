"""Packages, releases and files: list, search, show, describe, remove, download."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import StoredFile
from twofold.server.proxy import listings
from twofold.server.registry import lifecycle, queries
from twofold.server.registry.browsing import search
from twofold.server.registry.browsing.search import SearchHit, SearchQuery
from twofold.server.registry.queries import ReadableFile
from twofold.server.web.anaconda import serializers
from twofold.server.web.anaconda.owners import get_channel_name, get_own_channel_name
from twofold.server.web.anaconda.serializers import ViewContext
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import send_file
from twofold.server.web.json_body import JsonObject, with_json_body


def _load_context(request: Request) -> ViewContext:
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    channel = queries.get_channel(registry, actor, get_channel_name(request))
    project = queries.get_project(registry, actor, channel.name, words["name"])
    files = queries.list_files(registry, project, words.get("version"))
    attributes = queries.list_releases(registry, project)
    return ViewContext(channel.name, channel.public, project, files, words["owner"], attributes)


def _find_file(request: Request, context: ViewContext) -> StoredFile:
    wanted = request.path_params["basename"]
    for file in context.files:
        if file.basename == wanted:
            return file
    raise Refused("not-found", f"There is no file '{wanted[:200]}'", status=404)


def show_package(request: Request) -> Response:
    """Show a package with its releases and files."""
    context = _load_context(request)
    return JSONResponse(serializers.serialize_package(context, context.files))


def describe_package(request: Request, body: JsonObject) -> Response:
    """Replace the attributes of a package."""
    attributes = body.object("public_attrs")
    name = request.path_params["name"]
    if body.fields.get("public") is False:
        _require_private_channel(request)
    lifecycle.describe_project(
        get_registry(request), authenticate(request), get_channel_name(request), name, attributes
    )
    return show_package(request)


def _require_private_channel(request: Request) -> None:
    """Refuse a private package in a public channel: packages are as private as their channel."""
    channel = queries.get_channel(
        get_registry(request), authenticate(request), get_channel_name(request)
    )
    if channel.public:
        raise Refused(
            "public-channel",
            f"The channel '{channel.name}' is public, so its packages cannot be private",
            "upload to a private channel: twofold admin channel NAME --private",
        )


def remove_package(request: Request) -> Response:
    """Delete all files of a package."""
    name = request.path_params["name"]
    lifecycle.delete_release(
        get_registry(request), authenticate(request), get_channel_name(request), name
    )
    return JSONResponse({}, 201)


def show_release(request: Request) -> Response:
    """Show a release with its files."""
    context, version = _load_context(request), request.path_params["version"]
    if context.files:
        version = context.files[0].version
    if version not in context.release_attributes and not context.files:
        raise Refused("not-found", f"There is no release '{version[:100]}'", status=404)
    return JSONResponse(serializers.serialize_release(context, version, context.files))


def describe_release(request: Request, body: JsonObject) -> Response:
    """Describe a release: POST and PUT replace all attributes, PATCH the given ones."""
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        get_channel_name(request),
    )
    name, version = request.path_params["name"], request.path_params["version"]
    attributes = {**body.fields, **body.object("public_attrs")}
    attributes.pop("public_attrs", None)
    if request.method == "PATCH":
        known = queries.get_project(registry, actor, channel, name)
        before = queries.list_releases(registry, known).get(version, {})
        attributes = {**before, **attributes}
    lifecycle.describe_release(registry, actor, channel, name, version, attributes)
    return show_release(request)


def remove_release(request: Request) -> Response:
    """Delete all files of a release."""
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        get_channel_name(request),
    )
    name, version = request.path_params["name"], request.path_params["version"]
    lifecycle.delete_release(registry, actor, channel, name, version)
    return JSONResponse({}, 201)


def show_file(request: Request) -> Response:
    """Show a file, but no converted package: its author can still upload a package of that name."""
    context = _load_context(request)
    file = _find_file(request, context)
    if file.made_from is not None:
        raise Refused("converted", f"{file.basename} was converted from a wheel", status=404)
    return JSONResponse(serializers.serialize_file(context, file))


def remove_file(request: Request) -> Response:
    """Delete a file."""
    context = _load_context(request)
    file = _find_file(request, context)
    registry, actor = get_registry(request), authenticate(request)
    lifecycle.delete(registry, actor, context.channel, file.subdir, file.filename)
    return JSONResponse(serializers.serialize_file(context, file))


def download_file(request: Request) -> Response:
    """Redirect to a file of a public channel; send a file of a private channel directly.

    The client follows redirects without its token. It sends the MD5 of the version it has in
    `ETag`, as a request header.
    """
    context = _load_context(request)
    file = _find_file(request, context)
    queries.check_not_quarantined(context.project)
    if request.headers.get("etag", "").strip('"') == file.md5:
        return Response(None, 304)
    if not context.public:
        return send_file(request, get_registry(request), ReadableFile(file, False))
    base = str(request.base_url).rstrip("/")
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    return RedirectResponse(f"{base}/{context.channel}/{place}", 302)


_PACKAGE = "/api/package/{owner}/{name}"
_RELEASE = "/api/release/{owner}/{name}/{version}"
_FILE = "{owner}/{name}/{version}/{basename:path}"
_DESCRIBE = ["POST", "PATCH", "PUT"]


def list_packages(request: Request) -> Response:
    """List the packages of an owner, or of the caller."""
    registry, actor = get_registry(request), authenticate(request)
    named = "owner" in request.path_params
    channel = get_channel_name(request) if named else get_own_channel_name(request, actor)
    return _list_hits(request, search.list_channel_projects(registry, actor, channel))


#: Package types of this API -> worlds of the search.
_WORLDS = {"pypi": "pip", "conda": "conda"}


def search_packages(request: Request) -> Response:
    """Search all channels the caller can read."""
    word = request.query_params.get("name", "")
    if not word.isprintable():
        raise Refused("malformed-query", "The search text contains invalid characters")
    asked = request.query_params
    world = _WORLDS.get(asked.get("package_type") or asked.get("type") or "", "")
    query = SearchQuery(word, world)
    return _list_hits(request, listings.search(get_registry(request), authenticate(request), query))


def _list_hits(request: Request, hits: Iterable[SearchHit]) -> Response:
    """Filter by the query's `type` or `package_type`, `platform` and `access`."""
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
    Route(_PACKAGE, show_package),
    Route(_PACKAGE, with_json_body(describe_package), methods=_DESCRIBE),
    Route(_PACKAGE, remove_package, methods=["DELETE"]),
    Route(_RELEASE, show_release),
    Route(_RELEASE, with_json_body(describe_release), methods=_DESCRIBE),
    Route(_RELEASE, remove_release, methods=["DELETE"]),
    Route(f"/api/dist/{_FILE}", show_file),
    Route(f"/api/dist/{_FILE}", remove_file, methods=["DELETE"]),
    Route(f"/api/download/{_FILE}", download_file),
    Route("/api/packages", list_packages),
    Route("/api/packages/{owner}", list_packages),
    Route("/api/search", search_packages),
]
