"""The simple index for pip, uv, poetry and pdm: PEP 503, 629, 691, 658; and the files."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twofold.names import normalize_name
from twofold.server.pages.page_updates import HTML, JSON
from twofold.server.proxy import pages
from twofold.server.registry import queries
from twofold.server.web.credentials import authenticate, get_registry, target_view
from twofold.server.web.file_responses import IMMUTABLE, cache_control, send_file, send_page

JSON_MEDIA = "application/vnd.pypi.simple.v1+json"
HTML_MEDIA = "application/vnd.pypi.simple.v1+html"
PLAIN_MEDIA = "text/html"

#: What a client may ask for -> (what it gets, which form of the page that is).
_OFFERS = {
    JSON_MEDIA: (JSON_MEDIA, JSON),
    "application/vnd.pypi.simple.latest+json": (JSON_MEDIA, JSON),
    HTML_MEDIA: (HTML_MEDIA, HTML),
    "application/vnd.pypi.simple.latest+html": (HTML_MEDIA, HTML),
    PLAIN_MEDIA: (PLAIN_MEDIA, HTML),
}


def negotiate(accept: str) -> tuple[str, str]:
    """(media type, form) for an Accept header; text/html when nothing in it fits (PEP 691)."""
    best, best_quality = (PLAIN_MEDIA, HTML), 0.0
    for part in accept.split(","):
        media, *parameters = (word.strip() for word in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                try:
                    quality = float(value)
                except ValueError:
                    quality = 0.0
        offer = _OFFERS.get(media.lower())
        if offer is not None and quality > best_quality:
            best, best_quality = offer, quality
    return best


def _wanted(request: Request) -> tuple[str, str]:
    format_ = request.query_params.get("format", "").replace(" ", "+")  # as queries spell a space
    return negotiate(format_ or request.headers.get("accept", ""))


def get_project_page(request: Request) -> Response:
    name = request.path_params["name"]
    if normalize_name(name) != name or not request.url.path.endswith("/"):
        up = "../" if request.url.path.endswith("/") else "./"  # or `x:y` would be a scheme
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{up}{normalize_name(name)}/{query}", 301)
    media, form = _wanted(request)
    page, public = pages.get_simple_page(get_registry(request), target_view(request), name, form)
    return send_page(request, page, media, public, {"vary": "Accept"})


def get_index_page(request: Request) -> Response:
    if not request.url.path.endswith("/"):
        return RedirectResponse("simple/", 301)
    media, form = _wanted(request)
    page, public = queries.get_simple_index(get_registry(request), target_view(request), form)
    return send_page(request, page, media, public, {"vary": "Accept"})


def get_file(request: Request) -> Response:
    """A file, or beside it its METADATA (PEP 658)."""
    registry, words = get_registry(request), request.path_params
    name, sha256 = words["filename"], words["sha256"]
    of_metadata = name.endswith(".metadata")
    name = name.removesuffix(".metadata")
    place = (authenticate(request), words["channel"], sha256, name)
    if not of_metadata:
        return send_file(request, registry, pages.get_file(registry, *place))
    body, public = pages.get_metadata(registry, *place)
    headers = {
        "cache-control": cache_control(public, IMMUTABLE),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }
    return Response(body, 200, headers, "application/octet-stream")


def _both(path: str, endpoint: Callable[[Request], Response]) -> list[Route]:
    return [
        Route(f"/{{channel}}{path}", endpoint),
        Route(f"/{{channel}}/label/{{label}}{path}", endpoint),
    ]


routes = [
    *_both("/simple", get_index_page),
    *_both("/simple/", get_index_page),
    *_both("/simple/{name}", get_project_page),
    *_both("/simple/{name}/", get_project_page),
    *_both("/files/{sha256}/{filename}", get_file),
]
