"""A project for programs: PyPI's JSON API, and provenance (PEP 740)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Page
from twofold.server.pages import etag_of
from twofold.server.registry import looking
from twofold.server.rendering import project_json
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.sending import send_page

PROVENANCE_MEDIA = "application/vnd.pypi.integrity.v1+json"


def as_json(request: Request) -> Response:
    registry, words, actor = registry_of(request), request.path_params, actor_of(request)
    channel = looking.channel(registry, actor, words["channel"])
    project = looking.project(registry, actor, channel.name, words["name"])
    version = words.get("version")
    files = [file for file in looking.files_of(registry, project) if not file.kind.is_conda]
    if not files or version not in (None, *(file.version for file in files)):
        raise Refused("not-found", f"There is no release of '{project.name}' here", status=404)
    base = f"{str(request.base_url).rstrip('/')}/{channel.name}"
    value = project_json.project_value(project, files, version, base, channel.serial)
    body = project_json.as_bytes(value)
    page = Page(body, etag_of(body), channel.serial)
    return send_page(request, page, "application/json", channel.public)


def provenance(request: Request) -> Response:
    registry, words = registry_of(request), request.path_params
    found = looking.by_name(registry, actor_of(request), words["channel"], "", words["filename"])
    if found.file.provenance is None:
        raise Refused("not-found", f"{found.file.filename} has no provenance", status=404)
    body = found.file.provenance.encode()
    page = Page(body, etag_of(body), 0)
    return send_page(request, page, PROVENANCE_MEDIA, found.public)


routes = [
    Route("/{channel}/pypi/{name}/json", as_json),
    Route("/{channel}/pypi/{name}/{version}/json", as_json),
    Route("/{channel}/integrity/{name}/{version}/{filename}/provenance", provenance),
]
