"""Packages, their releases and their files: shown, described, removed, downloaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import StoredFile
from twofold.server.registry import lifecycle, queries
from twofold.server.registry.queries import ReadableFile
from twofold.server.web.anaconda import serializers
from twofold.server.web.anaconda.owners import get_channel_name
from twofold.server.web.anaconda.serializers import ViewContext
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import send_file
from twofold.server.web.json_body import JsonObject, with_json_body


def _asked(request: Request) -> ViewContext:
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    channel = queries.get_channel(registry, actor, get_channel_name(request))
    project = queries.get_project(registry, actor, channel.name, words["name"])
    files = queries.list_files(registry, project, words.get("version"))
    told = queries.list_releases(registry, project)
    return ViewContext(channel.name, channel.public, project, files, words["owner"], told)


def _file(request: Request, asked: ViewContext) -> StoredFile:
    wanted = request.path_params["basename"]
    for file in asked.files:
        if file.basename == wanted:
            return file
    raise Refused("not-found", f"There is no file '{wanted[:200]}'", status=404)


def package(request: Request) -> Response:
    asked = _asked(request)
    return JSONResponse(serializers.serialize_package(asked, asked.files))


def set_package(request: Request, told: JsonObject) -> Response:
    attributes = told.object("public_attrs")
    name = request.path_params["name"]
    if told.fields.get("public") is False:
        _demand_private(request)
    lifecycle.describe_project(
        get_registry(request), authenticate(request), get_channel_name(request), name, attributes
    )
    return package(request)


def _demand_private(request: Request) -> None:
    """A package is as private as its channel: never public where its author said private."""
    channel = queries.get_channel(
        get_registry(request), authenticate(request), get_channel_name(request)
    )
    if channel.public:
        raise Refused(
            "public-channel",
            f"The channel '{channel.name}' is public, and so is what lies in it",
            "upload to a private channel: twofold admin channel NAME --private",
        )


def remove_package(request: Request) -> Response:
    name = request.path_params["name"]
    lifecycle.delete_release(
        get_registry(request), authenticate(request), get_channel_name(request), name
    )
    return JSONResponse({}, 201)


def release(request: Request) -> Response:
    asked, version = _asked(request), request.path_params["version"]
    if version not in asked.release_attributes and not asked.files:
        raise Refused("not-found", f"There is no release '{version[:100]}'", status=404)
    return JSONResponse(serializers.serialize_release(asked, version, asked.files))


def set_release(request: Request, told: JsonObject) -> Response:
    """POST and PUT say everything anew, PATCH changes what it names."""
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        get_channel_name(request),
    )
    name, version = request.path_params["name"], request.path_params["version"]
    attributes = {**told.fields, **told.object("public_attrs")}
    attributes.pop("public_attrs", None)
    if request.method == "PATCH":
        known = queries.get_project(registry, actor, channel, name)
        before = queries.list_releases(registry, known).get(version, {})
        attributes = {**before, **attributes}
    lifecycle.describe_release(registry, actor, channel, name, version, attributes)
    return release(request)


def remove_release(request: Request) -> Response:
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        get_channel_name(request),
    )
    name, version = request.path_params["name"], request.path_params["version"]
    lifecycle.delete_release(registry, actor, channel, name, version)
    return JSONResponse({}, 201)


def dist(request: Request) -> Response:
    """A file, unless it was made from a wheel: its author may still upload the same package."""
    asked = _asked(request)
    file = _file(request, asked)
    if file.made_from is not None:
        raise Refused("not-found", f"{file.basename} was made from a wheel", status=404)
    return JSONResponse(serializers.serialize_file(asked, file))


def remove_dist(request: Request) -> Response:
    asked = _asked(request)
    file = _file(request, asked)
    registry, actor = get_registry(request), authenticate(request)
    lifecycle.delete(registry, actor, asked.channel, file.subdir, file.filename)
    return JSONResponse(serializers.serialize_file(asked, file))


def download(request: Request) -> Response:
    """The file of a public channel by its own address, of a private one at once.

    The client follows a redirect without its token. It says which version it has in `ETag`, as a
    header of the request, by the MD5.
    """
    asked = _asked(request)
    file = _file(request, asked)
    queries.check_not_quarantined(asked.project)
    if request.headers.get("etag", "").strip('"') == file.md5:
        return Response(None, 304)
    if not asked.public:
        return send_file(request, get_registry(request), ReadableFile(file, False))
    base = str(request.base_url).rstrip("/")
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    return RedirectResponse(f"{base}/{asked.channel}/{place}", 302)


_PACKAGE = "/api/package/{owner}/{name}"
_RELEASE = "/api/release/{owner}/{name}/{version}"
_FILE = "{owner}/{name}/{version}/{basename:path}"
_SET = ["POST", "PATCH", "PUT"]

routes = [
    Route(_PACKAGE, package),
    Route(_PACKAGE, with_json_body(set_package), methods=_SET),
    Route(_PACKAGE, remove_package, methods=["DELETE"]),
    Route(_RELEASE, release),
    Route(_RELEASE, with_json_body(set_release), methods=_SET),
    Route(_RELEASE, remove_release, methods=["DELETE"]),
    Route(f"/api/dist/{_FILE}", dist),
    Route(f"/api/dist/{_FILE}", remove_dist, methods=["DELETE"]),
    Route(f"/api/download/{_FILE}", download),
]
