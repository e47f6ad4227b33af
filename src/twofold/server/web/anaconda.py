"""The Anaconda.org API, for anaconda-client and rattler-build's uploader, under `/api`.

An owner there is a user here: `/package/owner/...` means the channel of that name, or the home
channel of the user of that name. Errors carry `{"error": message}`, as every answer of ours does.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.gates import Claims
from twofold.server.model import Project, Stored, User
from twofold.server.registry import changing, looking, people, staging
from twofold.server.web.asking import actor_of, registry_of, secret_of
from twofold.server.web.forms import receive_form

_TYPES = {"wheel": "pypi", "sdist": "pypi", "conda": "conda", "tar.bz2": "conda"}


async def _json(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        value = json.loads(body or b"{}")
    except ValueError:
        raise Refused("malformed-json", "The body is not JSON") from None
    if not isinstance(value, dict):
        raise Refused("malformed-json", "The body must be a JSON object")
    return value


def _channel(request: Request) -> str:
    return people.channel_of_owner(registry_of(request), request.path_params["owner"])


def root(_request: Request) -> Response:
    return JSONResponse({"product": "twofold"})


def authentication_type(_request: Request) -> Response:
    return JSONResponse({"authentication_type": "password"})


async def log_in(request: Request) -> Response:
    """A token for a user name and password (or a token of that user in the password's place)."""
    secret, user = secret_of(request)
    if user is None and request.headers.get("authorization", "").lower().startswith("bearer"):
        # The exact words that make anaconda-client ask for the password.
        raise Refused("no-bearer", "Bearer token authentication is not enabled", status=401)
    told, registry = await _json(request), registry_of(request)
    actor = await run_in_threadpool(people.log_in, registry, user or "", secret or "")
    wanted = people.TokenRequest(
        name=str(told.get("note") or "anaconda-client"),
        application={"note": told.get("note"), "hostname": told.get("hostname")},
    )
    token, _ = await run_in_threadpool(people.issue_token, registry, actor, wanted)
    return JSONResponse({"token": token})


def user(request: Request) -> Response:
    registry = registry_of(request)
    if name := request.path_params.get("owner"):
        return JSONResponse(_user(people.user(registry, name)))
    actor = actor_of(request)
    if actor.user is None:
        raise Refused("no-login", "Log in first", status=401)
    return JSONResponse(_user(actor.user))


def _user(found: User) -> dict[str, Any]:
    return {
        "login": found.name,
        "name": found.name,
        "created_at": found.created_at.isoformat(),
        "user_type": "user" if found.kind == "user" else "org",
    }


def package(request: Request) -> Response:
    project, files, owner = _project(request)
    return JSONResponse(_package(project, files, owner))


def _project(request: Request) -> tuple[Project, list[Stored], str]:
    registry, actor = registry_of(request), actor_of(request)
    words = request.path_params
    project = looking.project(registry, actor, _channel(request), words["name"])
    files = looking.files_of(registry, project, words.get("version"))
    return project, files, words["owner"]


def _package(project: Project, files: list[Stored], owner: str) -> dict[str, Any]:
    versions = sorted({file.version for file in files})
    return {
        "name": project.name,
        "full_name": f"{owner}/{project.name}",
        "summary": project.summary,
        "public": True,
        "owner": {"login": owner},
        "package_types": sorted({_TYPES[file.kind.value] for file in files}),
        "versions": versions,
        "latest_version": versions[-1] if versions else "",
        "conda_platforms": sorted({file.subdir for file in files if file.subdir}),
        "builds": sorted({file.build for file in files if file.build}),
        "releases": [{"version": version, "distributions": []} for version in versions],
        "files": [_dist(file, project, owner) for file in files],
    }


def _dist(file: Stored, project: Project, owner: str) -> dict[str, Any]:
    return {
        "basename": file.basename,
        "full_name": f"{owner}/{project.name}/{file.version}/{file.basename}",
        "version": file.version,
        "size": file.size,
        "md5": file.md5,
        "sha256": file.sha256,
        "distribution_type": _TYPES[file.kind.value],
        "upload_time": file.uploaded_at.isoformat(),
        "labels": sorted(file.labels),
        "description": "",
        "attrs": {"subdir": file.subdir, "build": file.build, "build_number": file.build_number},
    }


async def set_package(request: Request) -> Response:
    told = await _json(request)
    words, registry = request.path_params, registry_of(request)
    actor = await run_in_threadpool(actor_of, request)
    channel = await run_in_threadpool(_channel, request)
    attributes = told.get("public_attrs") or {}
    project = await run_in_threadpool(
        changing.describe_project, registry, actor, channel, words["name"], attributes
    )
    files = await run_in_threadpool(looking.files_of, registry, project)
    return JSONResponse(_package(project, files, words["owner"]))


def release(request: Request) -> Response:
    project, files, owner = _project(request)
    version = request.path_params["version"]
    told = looking.releases_of(registry_of(request), project)
    if version not in told and not files:
        raise Refused("not-found", f"There is no release {version[:100]}", status=404)
    return JSONResponse(
        {
            "version": version,
            "distributions": [_dist(file, project, owner) for file in files],
            "public_attrs": told.get(version, {"description": "", "summary": ""}),
        }
    )


async def set_release(request: Request) -> Response:
    told = await _json(request)
    words, registry = request.path_params, registry_of(request)
    actor = await run_in_threadpool(actor_of, request)
    channel = await run_in_threadpool(_channel, request)
    await run_in_threadpool(
        changing.describe_release, registry, actor, channel, words["name"], words["version"], told
    )
    return JSONResponse({"version": words["version"], "distributions": [], "public_attrs": told})


def dist(request: Request) -> Response:
    project, files, owner = _project(request)
    wanted = request.path_params["basename"]
    for file in files:
        if file.basename == wanted:
            return JSONResponse(_dist(file, project, owner))
    raise Refused("not-found", f"There is no file {wanted[:200]}", status=404)


def remove_dist(request: Request) -> Response:
    words, registry, actor = request.path_params, registry_of(request), actor_of(request)
    subdir, _, filename = words["basename"].rpartition("/")
    changing.delete(registry, actor, _channel(request), subdir, filename)
    return JSONResponse({})


async def stage(request: Request) -> Response:
    told = await _json(request)
    words, registry = request.path_params, registry_of(request)
    actor = await run_in_threadpool(actor_of, request)
    channel = await run_in_threadpool(_channel, request)
    labels = frozenset(str(label) for label in told.get("channels") or ())
    stage_id = await run_in_threadpool(
        staging.announce, registry, actor, channel, words["basename"], labels
    )
    url = f"{str(request.base_url).rstrip('/')}/api/staged/{stage_id}"
    return JSONResponse({"post_url": url, "form_data": {}, "dist_id": stage_id})


async def staged(request: Request) -> Response:
    """The file's bytes, sent without a login: the address is the right to send them."""
    registry, largest = registry_of(request), request.app.state.settings.largest_file
    form = await receive_form(request, registry.spool, largest)
    try:
        if form.path is None:
            raise Refused("no-file", "The form holds no file")
        stage_id = request.path_params["stage"]
        await run_in_threadpool(staging.receive, registry, stage_id, form.path)
    finally:
        form.discard()
    return Response("<PostResponse/>", 201, media_type="application/xml")


async def commit(request: Request) -> Response:
    told = await _json(request)
    words, registry = request.path_params, registry_of(request)
    actor = await run_in_threadpool(actor_of, request)
    claims = Claims(name=words["name"], version=words["version"])
    stage_id = str(told.get("dist_id", ""))
    done = await run_in_threadpool(staging.commit, registry, actor, stage_id, claims)
    base = str(request.base_url).rstrip("/")
    url = f"{base}/{people.channel_of_owner(registry, words['owner'])}"
    return JSONResponse({"url": url, "basename": done.file.basename, "remark": done.remark})


def download(request: Request) -> Response:
    _, files, _ = _project(request)
    base, channel = str(request.base_url).rstrip("/"), _channel(request)
    for file in files:
        if file.basename == request.path_params["basename"]:
            place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
            return RedirectResponse(f"{base}/{channel}/{place}", 302)
    raise Refused("not-found", "There is no such file", status=404)


_RELEASE = "/api/release/{owner}/{name}/{version}"
_FILE = "{owner}/{name}/{version}/{basename:path}"

routes = [
    Route("/api", root),
    Route("/api/", root),
    Route("/api/authentication-type", authentication_type),
    Route("/api/authentications", log_in, methods=["POST"]),
    Route("/api/user", user),
    Route("/api/user/{owner}", user),
    Route("/api/package/{owner}/{name}", package),
    Route("/api/package/{owner}/{name}", set_package, methods=["POST", "PATCH", "PUT"]),
    Route(_RELEASE, release),
    Route(_RELEASE, set_release, methods=["POST", "PATCH", "PUT"]),
    Route(f"/api/dist/{_FILE}", dist),
    Route(f"/api/dist/{_FILE}", remove_dist, methods=["DELETE"]),
    Route(f"/api/stage/{_FILE}", stage, methods=["POST"]),
    Route("/api/staged/{stage}", staged, methods=["POST"]),
    Route(f"/api/commit/{_FILE}", commit, methods=["POST"]),
    Route(f"/api/download/{_FILE}", download),
]
