"""Downloads of a project and a channel: pages with plots, and the same as JSON."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.registry.browsing import numbers
from twofold.server.registry.browsing.numbers import DEFAULT_DAYS, Downloads
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import cache_control
from twofold.server.web.pages.plots import plot_days, summarize_days
from twofold.server.web.pages.render import render

#: The periods that pages offer (days).
PERIODS = (7, 30, 90, 365)


def show_project_downloads(request: Request) -> Response:
    """Show a project's downloads by day, version and client."""
    found = _get_project(request)
    values = {
        "channel": found.channel,
        "project": found.project,
        "size": found.size,
        **_describe_plot(found.downloads, f"Downloads of {found.project.name}"),
    }
    return render(request, "downloads.html", values, public=found.channel.public)


def show_channel_downloads(request: Request) -> Response:
    """Show a channel's downloads by day and client."""
    channel, downloads = _get_channel(request)
    values = {
        "channel": channel,
        "project": None,
        "size": None,
        **_describe_plot(downloads, f"Downloads from {channel.name}"),
    }
    return render(request, "downloads.html", values, public=channel.public)


def get_project_downloads(request: Request) -> Response:
    """Send a project's downloads as JSON."""
    found = _get_project(request)
    value = {
        "channel": found.channel.name,
        "project": found.project.key,
        "total": found.downloads.total,
        "size": found.size,
        **_serialize(found.downloads),
        "versions": dict(found.downloads.versions),
    }
    return _send_json(value, found.channel.public)


def get_channel_downloads(request: Request) -> Response:
    """Send a channel's downloads as JSON."""
    channel, downloads = _get_channel(request)
    return _send_json({"channel": channel.name, **_serialize(downloads)}, channel.public)


def show_storage(request: Request) -> Response:
    """Show a channel's administrators what takes how much room."""
    found = _measure(request)
    return render(request, "storage.html", {"channel": found.channel, "found": found}, public=False)


def get_storage(request: Request) -> Response:
    """Send what takes how much room in a channel as JSON."""
    found = _measure(request)
    largest = [{"project": one.key, "size": one.size} for one in found.largest]
    value = {"channel": found.channel.name, "size": found.size, "quota": found.quota}
    return _send_json({**value, "largest": largest}, public=False)


def _measure(request: Request) -> numbers.ChannelStorage:
    registry, actor = get_registry(request), authenticate(request)
    return numbers.measure_storage(registry, actor, request.path_params["channel"])


def _get_project(request: Request) -> numbers.ProjectDownloads:
    path = request.path_params
    return numbers.get_project_downloads(
        get_registry(request),
        authenticate(request),
        path["channel"],
        path["name"],
        _read_days(request),
    )


def _read_days(request: Request) -> int:
    text = request.query_params.get("days", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else DEFAULT_DAYS


def _get_channel(request: Request) -> tuple[Any, Downloads]:
    return numbers.get_channel_downloads(
        get_registry(request),
        authenticate(request),
        request.path_params["channel"],
        _read_days(request),
    )


def _describe_plot(downloads: Downloads, title: str) -> dict[str, Any]:
    return {
        "downloads": downloads,
        "title": title,
        "plot_svg": plot_days(downloads.days, title),
        "in_words": summarize_days(downloads.days),
        "periods": PERIODS,
    }


def _serialize(downloads: Downloads) -> dict[str, Any]:
    days = [
        {"day": day.day, "pip": day.pip, "conda": day.conda, "total": day.total}
        for day in downloads.days
    ]
    return {"days": days, "count": downloads.count, "clients": dict(downloads.clients)}


def _send_json(value: dict[str, Any], public: bool) -> Response:
    return JSONResponse(value, headers={"cache-control": cache_control(public, "max-age=60")})


routes = [
    Route("/api/downloads/{channel}", get_channel_downloads),
    Route("/api/downloads/{channel}/{name}", get_project_downloads),
    Route("/api/storage/{channel}", get_storage),
    Route("/{channel}/-/storage", show_storage),
    Route("/{channel}/-/downloads", show_channel_downloads),
    Route("/{channel}/project/{name}/-/downloads", show_project_downloads),
]
