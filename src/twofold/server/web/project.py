"""A project for programs: PyPI's JSON API, and provenance (PEP 740)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Page
from twofold.server.pages import project_json
from twofold.server.pages.page_updates import make_etag
from twofold.server.registry import queries
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import send_page

PROVENANCE_MEDIA = "application/vnd.pypi.integrity.v1+json"


def as_json(request: Request) -> Response:
    registry, words, actor = get_registry(request), request.path_params, authenticate(request)
    channel = queries.get_channel(registry, actor, words["channel"])
    project = queries.get_project(registry, actor, channel.name, words["name"])
    version = words.get("version")
    files = [file for file in queries.list_files(registry, project) if not file.kind.is_conda]
    if not files or version not in (None, *(file.version for file in files)):
        raise Refused("not-found", f"There is no release of '{project.name}' here", status=404)
    base = f"{str(request.base_url).rstrip('/')}/{channel.name}"
    value = project_json.build_project(project, files, version, base, channel.serial)
    body = project_json.serialize(value)
    page = Page(body, make_etag(body), channel.serial)
    return send_page(request, page, "application/json", channel.public)


def provenance(request: Request) -> Response:
    registry, words = get_registry(request), request.path_params
    found = queries.get_file_by_name(
        registry, authenticate(request), words["channel"], "", words["filename"]
    )
    if found.file.provenance is None:
        raise Refused("not-found", f"{found.file.filename} has no provenance", status=404)
    body = found.file.provenance.encode()
    page = Page(body, make_etag(body), 0)
    return send_page(request, page, PROVENANCE_MEDIA, found.public)


routes = [
    Route("/{channel}/pypi/{name}/json", as_json),
    Route("/{channel}/pypi/{name}/{version}/json", as_json),
    Route("/{channel}/integrity/{name}/{version}/{filename}/provenance", provenance),
]
