"""The pages of the registry, a channel and a project, for reading."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.context import Registry
from twofold.server.model import ANONYMOUS, Actor, Channel, Project, StoredFile, View
from twofold.server.pages import conda_pages
from twofold.server.pages.description_renderer import describe_release
from twofold.server.pages.simple_pages import make_file_path
from twofold.server.proxy import listings
from twofold.server.proxy.listings import RemoteListing
from twofold.server.registry import administration, labels, queries
from twofold.server.registry.browsing.search import (
    SearchQuery,
    list_projects_page,
    search_projects,
)
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.pages.render import render

#: Maximum number of an upstream's files on a project's page.
MAX_REMOTE = 100


def show_landing(request: Request) -> Response:
    """List channels the caller can read."""
    actor = authenticate(request)
    found = administration.list_readable_channels(get_registry(request), actor)
    public = actor is ANONYMOUS
    return render(request, "landing.html", {"channels": found}, public=public)


def show_channel(request: Request) -> Response:
    """Show how to use a channel, and its projects."""
    registry, actor = get_registry(request), authenticate(request)
    found = queries.get_channel(registry, actor, request.path_params["channel"])
    q = request.query_params.get("q", "")[:100]
    number = _read_number(request)
    if q.strip():
        page = search_projects(registry, actor, SearchQuery(q, channel=found.name), number)
    else:
        page = list_projects_page(registry, actor, found.name, number=number)
    shown = [
        {
            "name": one.listing.name,
            "key": one.listing.key,
            "summary": one.listing.summary,
            "newest": one.listing.newest,
            "worlds": ", ".join(one.listing.worlds),
        }
        for one in page.projects
    ]
    remote = listings.search_remote(registry, View(actor, found.name), q) if q else []
    names = sorted(set(labels.list_labels(registry, actor, found.name)) - {"main"})
    values = {
        "channel": found,
        "projects": shown,
        "remote": remote,
        "page": page,
        "labels": names,
        "q": q,
        **_get_urls(request, found),
    }
    return render(request, "channel.html", values, public=found.public)


def _read_number(request: Request) -> int:
    """Return the number of the page that is asked for; 1 for what is none."""
    text = request.query_params.get("page", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1


def _get_urls(request: Request, found: Channel) -> dict[str, str]:
    """Return the URLs for commands, with a placeholder for a private channel's token."""
    root = str(request.base_url).rstrip("/")
    base = f"{root}/{found.name}"
    scheme, _, rest = base.partition("://")
    if found.public:
        return {"base": base, "pip_index": f"{base}/simple/", "conda_channel": base}
    return {
        "base": base,
        "pip_index": f"{scheme}://__token__:TOKEN@{rest}/simple/",
        "conda_channel": f"{root}/t/TOKEN/{found.name}",
    }


def show_project(request: Request) -> Response:
    """Show how to install a project, its PyPI and conda files, and failed conversions."""
    registry, path, actor = get_registry(request), request.path_params, authenticate(request)
    found = queries.get_channel(registry, actor, path["channel"])
    remote, upstream = listings.list_remote(registry, View(actor, found.name), path["name"])
    known = _find_project(registry, actor, found.name, path["name"], is_upstream=bool(remote))
    files = queries.list_files(registry, known) if isinstance(known, Project) else []
    addresses = _get_urls(request, found)
    missing = conda_pages.explain_missing_v3_records(registry, found, files)
    versions = queries.list_versions_newest_first(files)
    newest = queries.find_newest_version(files)
    description, html = describe_release(
        registry.database,
        registry.description_renderer,
        [file for file in files if file.version == newest],
    )
    values = {
        "channel": found,
        "project": known,
        "newest": newest or (remote[0].version if remote else ""),
        "remote": [_describe_remote(one) for one in remote[:MAX_REMOTE]],
        "more_remote": len(remote) > MAX_REMOTE,
        "upstream": upstream,
        "for_pip": bool(remote) or any(not file.kind.is_conda for file in files),
        "for_conda": any(file.kind.is_conda for file in files),
        "remarks": [file.remark for file in reversed(files) if file.remark],
        "releases": [
            _describe_release(
                version,
                [file for file in files if file.version == version],
                addresses["base"],
                missing,
            )
            for version in versions
        ],
        "summary": description.summary,
        "facts": description.facts,
        "description": html,
        **addresses,
    }
    return render(request, "project.html", values, public=found.public)


def _find_project(
    registry: Registry, actor: Actor, channel: str, name: str, is_upstream: bool
) -> Project | dict[str, str]:
    """Return the project, or what is known of one that only the upstream has. Raises Refused."""
    try:
        return queries.get_project(registry, actor, channel, name)
    except Refused:
        if not is_upstream:
            raise
    key = normalize_name(name)
    return {"name": key, "key": key, "status": "active", "summary": "", "conda_name": ""}


def _describe_remote(one: RemoteListing) -> dict[str, Any]:
    return {
        "name": one.filename,
        "url": one.url,
        "size": _format_size(one.size) if one.size is not None else "",
        "at": one.uploaded,
        "yanked": one.yanked,
        "refused": one.refused,
    }


def _describe_release(
    version: str, files: list[StoredFile], base: str, missing_v3: Mapping[int, str]
) -> dict[str, Any]:
    yanks = [file.yanked for file in files]
    return {
        "version": version,
        "yanked": next((reason for reason in yanks if reason), "") if None not in yanks else None,
        "files": [
            {
                "name": file.basename,
                "url": f"{base}/{file.basename if file.subdir else make_file_path(file)}",
                "sha256": file.sha256,
                "world": "conda" if file.kind.is_conda else "pip",
                "size": _format_size(file.size),
                "at": file.uploaded_at.strftime("%Y-%m-%d %H:%M UTC"),
                "labels": ", ".join(sorted(file.labels)),
                "remarks": [
                    text for text in (file.remark, missing_v3.get(file.id)) if text is not None
                ],
            }
            for file in files
        ],
    }


def _format_size(count: int) -> str:
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.0f} {unit}" if unit == "bytes" else f"{amount:.1f} {unit}"


routes = [
    Route("/", show_landing),
    Route("/{channel}", show_channel),
    Route("/{channel}/", show_channel),
    Route("/{channel}/project/{name}", show_project),
    Route("/{channel}/project/{name}/", show_project),
]
