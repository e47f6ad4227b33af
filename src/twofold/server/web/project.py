"""A project for people and programs: its page, PyPI's JSON API, and provenance (PEP 740)."""

from __future__ import annotations

from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
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


def page(request: Request) -> Response:
    """What people see of a project: how to install it, its files in both worlds."""
    registry, words, actor = registry_of(request), request.path_params, actor_of(request)
    channel = looking.channel(registry, actor, words["channel"])
    project = looking.project(registry, actor, channel.name, words["name"])
    base = f"{str(request.base_url).rstrip('/')}/{channel.name}"
    lines = [
        f"<h1>{escape(project.name)}</h1><p>{escape(project.summary)}</p>",
        f"<pre>pip install --index-url {escape(base)}/simple/ {escape(project.key)}\n",
        f"conda install -c {escape(base)} {escape(project.conda_name or project.key)}</pre><ul>",
    ]
    for file in reversed(looking.files_of(registry, project)):
        yanked = "" if file.yanked is None else f" <b>yanked</b> {escape(file.yanked)}"
        labels = escape(", ".join(sorted(file.labels)))
        lines.append(
            f"<li>{escape(file.basename)} <small>{file.size} bytes, {labels}, sha256 "
            f"{file.sha256}</small>{yanked}<br>{escape(file.remark or '')}</li>"
        )
    body = f"<!DOCTYPE html><meta charset=utf-8><title>{escape(project.name)}</title>"
    headers = {
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
        "x-content-type-options": "nosniff",
        "cache-control": "no-cache" if channel.public else "private, no-cache",
    }
    return HTMLResponse(f"{body}{''.join(lines)}</ul>", 200, headers)


routes = [
    Route("/{channel}/pypi/{name}/json", as_json),
    Route("/{channel}/pypi/{name}/{version}/json", as_json),
    Route("/{channel}/integrity/{name}/{version}/{filename}/provenance", provenance),
    Route("/{channel}/project/{name}", page),
    Route("/{channel}/project/{name}/", page),
]
