"""Packages, their releases and their files: shown, described, removed, downloaded."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Stored
from twofold.server.registry import changing, looking
from twofold.server.registry.looking import Found
from twofold.server.web.anaconda import shapes
from twofold.server.web.anaconda.owners import channel_of
from twofold.server.web.anaconda.shapes import Asked
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.sending import send_file
from twofold.server.web.told import Told, with_told


def _asked(request: Request) -> Asked:
    registry, actor, words = registry_of(request), actor_of(request), request.path_params
    channel = looking.channel(registry, actor, channel_of(request))
    project = looking.project(registry, actor, channel.name, words["name"])
    files = looking.files_of(registry, project, words.get("version"))
    told = looking.releases_of(registry, project)
    return Asked(channel.name, channel.public, project, files, words["owner"], told)


def _file(request: Request, asked: Asked) -> Stored:
    wanted = request.path_params["basename"]
    for file in asked.files:
        if file.basename == wanted:
            return file
    raise Refused("not-found", f"There is no file '{wanted[:200]}'", status=404)


def package(request: Request) -> Response:
    asked = _asked(request)
    return JSONResponse(shapes.package(asked, asked.files))


def set_package(request: Request, told: Told) -> Response:
    attributes = told.object("public_attrs")
    name = request.path_params["name"]
    if told.fields.get("public") is False:
        _demand_private(request)
    changing.describe_project(
        registry_of(request), actor_of(request), channel_of(request), name, attributes
    )
    return package(request)


def _demand_private(request: Request) -> None:
    """A package is as private as its channel: never public where its author said private."""
    channel = looking.channel(registry_of(request), actor_of(request), channel_of(request))
    if channel.public:
        raise Refused(
            "public-channel",
            f"The channel '{channel.name}' is public, and so is what lies in it",
            "upload to a private channel: twofold admin channel NAME --private",
        )


def remove_package(request: Request) -> Response:
    name = request.path_params["name"]
    changing.delete_release(registry_of(request), actor_of(request), channel_of(request), name)
    return JSONResponse({}, 201)


def release(request: Request) -> Response:
    asked, version = _asked(request), request.path_params["version"]
    if version not in asked.told and not asked.files:
        raise Refused("not-found", f"There is no release '{version[:100]}'", status=404)
    return JSONResponse(shapes.release(asked, version, asked.files))


def set_release(request: Request, told: Told) -> Response:
    """POST and PUT say everything anew, PATCH changes what it names."""
    registry, actor, channel = registry_of(request), actor_of(request), channel_of(request)
    name, version = request.path_params["name"], request.path_params["version"]
    attributes = {**told.fields, **told.object("public_attrs")}
    attributes.pop("public_attrs", None)
    if request.method == "PATCH":
        known = looking.project(registry, actor, channel, name)
        before = looking.releases_of(registry, known).get(version, {})
        attributes = {**before, **attributes}
    changing.describe_release(registry, actor, channel, name, version, attributes)
    return release(request)


def remove_release(request: Request) -> Response:
    registry, actor, channel = registry_of(request), actor_of(request), channel_of(request)
    name, version = request.path_params["name"], request.path_params["version"]
    changing.delete_release(registry, actor, channel, name, version)
    return JSONResponse({}, 201)


def dist(request: Request) -> Response:
    """A file, unless it was made from a wheel: its author may still upload the same package."""
    asked = _asked(request)
    file = _file(request, asked)
    if file.made_from is not None:
        raise Refused("not-found", f"{file.basename} was made from a wheel", status=404)
    return JSONResponse(shapes.dist(asked, file))


def remove_dist(request: Request) -> Response:
    asked = _asked(request)
    file = _file(request, asked)
    registry, actor = registry_of(request), actor_of(request)
    changing.delete(registry, actor, asked.channel, file.subdir, file.filename)
    return JSONResponse(shapes.dist(asked, file))


def download(request: Request) -> Response:
    """The file of a public channel by its own address, of a private one at once.

    The client follows a redirect without its token. It says which version it has in `ETag`, as a
    header of the request, by the MD5.
    """
    asked = _asked(request)
    file = _file(request, asked)
    looking.demand_offered(asked.project)
    if request.headers.get("etag", "").strip('"') == file.md5:
        return Response(None, 304)
    if not asked.public:
        return send_file(request, registry_of(request), Found(file, False))
    base = str(request.base_url).rstrip("/")
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    return RedirectResponse(f"{base}/{asked.channel}/{place}", 302)


_PACKAGE = "/api/package/{owner}/{name}"
_RELEASE = "/api/release/{owner}/{name}/{version}"
_FILE = "{owner}/{name}/{version}/{basename:path}"
_SET = ["POST", "PATCH", "PUT"]

routes = [
    Route(_PACKAGE, package),
    Route(_PACKAGE, with_told(set_package), methods=_SET),
    Route(_PACKAGE, remove_package, methods=["DELETE"]),
    Route(_RELEASE, release),
    Route(_RELEASE, with_told(set_release), methods=_SET),
    Route(_RELEASE, remove_release, methods=["DELETE"]),
    Route(f"/api/dist/{_FILE}", dist),
    Route(f"/api/dist/{_FILE}", remove_dist, methods=["DELETE"]),
    Route(f"/api/download/{_FILE}", download),
]
