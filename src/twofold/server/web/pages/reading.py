"""The pages of the registry, a channel and a project, for reading."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.model import ANONYMOUS, Channel, View
from twofold.server.proxy import listings
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


routes = [
    Route("/", show_landing),
    Route("/{channel}", show_channel),
    Route("/{channel}/", show_channel),
]
