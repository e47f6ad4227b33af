"""The pages that list: the channels, a channel's projects, a label's releases, and a search."""

from __future__ import annotations

from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twofold.server.context import Registry
from twofold.server.model import ANONYMOUS, Channel, View
from twofold.server.proxy import listings
from twofold.server.registry import administration, labels, notices, queries
from twofold.server.registry.browsing import releases
from twofold.server.registry.browsing.search import (
    Order,
    ProjectPage,
    SearchQuery,
    list_newest_uploads,
    list_projects_page,
    search_projects,
)
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.pages.install_lines import Address, Wanted, write_lines
from twofold.server.web.pages.render import read_page_number, render
from twofold.server.web.pages.text_formats import format_date

#: What a search can be restricted to: parameter -> label, and the values that it offers.
PLATFORMS = ("linux-64", "linux-aarch64", "osx-arm64", "osx-64", "win-64", "win-arm64", "noarch")
PYTHONS = ("3.11", "3.12", "3.13", "3.14", "3.15")

#: The longest text of a search that is read (characters).
MAX_QUERY = 200


def show_landing(request: Request) -> Response:
    """List the channels that the caller can read, and the newest uploads to them."""
    registry, actor = get_registry(request), authenticate(request)
    values = {
        "channels": administration.list_readable_channels(registry, actor),
        "newest": list_newest_uploads(registry, actor, 8),
        "format_date": format_date,
    }
    return render(request, "landing.html", values, public=actor is ANONYMOUS)


def show_channel(request: Request) -> Response:
    """Show how to use a channel, and its projects."""
    registry, actor = get_registry(request), authenticate(request)
    channel = queries.get_channel(registry, actor, request.path_params["channel"])
    q = _read_query(request)
    order = Order.NEWEST if request.query_params.get("sort") == "newest" else Order.NAME
    if q.strip():
        query = SearchQuery(q, channel=channel.name)
        page = search_projects(registry, actor, query, read_page_number(request))
    else:
        number = read_page_number(request)
        page = list_projects_page(registry, actor, channel.name, order, number)
    names = sorted(set(labels.list_labels(registry, actor, channel.name)) - {"main"})
    address = _make_address(request, channel)
    asks = q.strip() and any(releases.find_upstream_sides(registry, channel))
    values = {
        "channel": channel,
        "address": address,
        "lines": write_lines(address, _want_any(registry, channel)),
        "page": page,
        "order": order,
        "remote": listings.search_remote(registry, View(actor, channel.name), q) if asks else [],
        "labels": names,
        "notices": notices.list_active(registry, View(actor, channel.name))[0],
        "here": q,
        "next_address": f"?{urlencode({'q': q} if q else {'sort': order.value})}&page=",
        "format_date": format_date,
    }
    return render(request, "channel.html", values, public=channel.public)


def show_label(request: Request) -> Response:
    """Show what is under a label of a channel; `main` is the channel itself."""
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    channel = queries.get_channel(registry, actor, words["channel"])
    label = words["label"]
    if label == "main":
        return RedirectResponse(f"{request.base_url.path.rstrip('/')}/{channel.name}", 302)
    number = read_page_number(request)
    found = releases.list_labelled(registry, channel, label, number)
    values = {
        "channel": channel,
        "address": _make_address(request, channel),
        "label": label,
        "found": found,
        "format_date": format_date,
    }
    return render(request, "label.html", values, public=channel.public)


def show_search(request: Request) -> Response:
    """Search the projects of all channels that the caller can read."""
    registry, actor = get_registry(request), authenticate(request)
    given = {
        name: request.query_params.get(name, "")[:100]
        for name in ("world", "platform", "license", "python", "channel")
    }
    q = _read_query(request)
    is_asked = bool(q.strip() or any(given.values()))
    page = ProjectPage([], 0, 1)
    if is_asked:
        page = search_projects(registry, actor, SearchQuery(q, **given), read_page_number(request))
    kept = {"q": q, **{name: value for name, value in given.items() if value}}
    values = {
        "q": q,
        "given": given,
        "is_asked": is_asked,
        "page": page,
        "platforms": [[one, one] for one in PLATFORMS],
        "pythons": [[one, one] for one in PYTHONS],
        "channel_names": [
            [one.name, one.name] for one in administration.list_readable_channels(registry, actor)
        ],
        "next_address": f"?{urlencode(kept)}&page=",
        "format_date": format_date,
    }
    return render(request, "search.html", values, public=actor is ANONYMOUS)


def show_components(request: Request) -> Response:
    """Show every component that pages are made of, for those who change them."""
    return render(request, "gallery.html", {}, public=True)


def _read_query(request: Request) -> str:
    return request.query_params.get("q", "")[:MAX_QUERY]


def _make_address(request: Request, channel: Channel) -> Address:
    root = str(request.base_url).rstrip("/")
    return Address(f"{root}/{channel.name}", channel.name, channel.public)


def _want_any(registry: Registry, channel: Channel) -> Wanted:
    """Return what the lines of a channel install: any project of it."""
    for_pip, for_conda = releases.find_upstream_sides(registry, channel)
    return Wanted("NAME", "NAME", pip_outside=not for_pip, conda_outside=not for_conda)


routes = [
    Route("/", show_landing),
    Route("/-/search", show_search),
    Route("/-/components", show_components),
    Route("/{channel}", show_channel),
    Route("/{channel}/", show_channel),
    Route("/{channel}/label/{label}", show_label),
    Route("/{channel}/label/{label}/", show_label),
]
