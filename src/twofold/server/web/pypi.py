"""The PyPI side: Simple API (PEP 503, 629, 691, 658), files, JSON API and provenance (PEP 740)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.names.version_order import find_versions
from twofold.server.model import Page, View
from twofold.server.pages import project_json
from twofold.server.pages.page_updates import HTML, JSON, make_etag
from twofold.server.proxy import listings, pages
from twofold.server.proxy.fetch import FileRequest
from twofold.server.registry import queries
from twofold.server.web.accept import parse_accept
from twofold.server.web.credentials import (
    authenticate,
    get_registry,
    routes_with_label,
    target_view,
)
from twofold.server.web.file_responses import (
    IMMUTABLE,
    cache_control,
    count_download,
    is_plain_get,
    mark_repeatable,
    send_download,
    send_file,
    send_page,
)
from twofold.server.web.proxy_threads import in_proxy_threads

JSON_MEDIA = "application/vnd.pypi.simple.v1+json"
HTML_MEDIA = "application/vnd.pypi.simple.v1+html"
PLAIN_MEDIA = "text/html"

#: Path of the files that the JSON API lists, as on PyPI: bandersnatch refuses any other.
PACKAGES = "/packages"

#: PyPI's header with the serial of the last change; mirrors compare it with the list of projects.
LAST_SERIAL = "x-pypi-last-serial"

#: Media type in Accept -> (media type of the response, form of the page).
_MEDIA_TYPES = {
    JSON_MEDIA: (JSON_MEDIA, JSON),
    "application/vnd.pypi.simple.latest+json": (JSON_MEDIA, JSON),
    HTML_MEDIA: (HTML_MEDIA, HTML),
    "application/vnd.pypi.simple.latest+html": (HTML_MEDIA, HTML),
    PLAIN_MEDIA: (PLAIN_MEDIA, HTML),
}


def negotiate(accept: str) -> tuple[str, str]:
    """Return (media type, form) for an Accept header; text/html if nothing matches (PEP 691)."""
    best, best_quality = (PLAIN_MEDIA, HTML), 0.0
    for media, quality in parse_accept(accept).items():
        offer = _MEDIA_TYPES.get(media)
        if offer is not None and quality > best_quality:
            best, best_quality = offer, quality
    return best


def _negotiate_request(request: Request) -> tuple[str, str]:
    format_ = request.query_params.get("format", "").replace(" ", "+")  # a query encodes a space so
    return negotiate(format_ or request.headers.get("accept", ""))


def get_project_page(request: Request) -> Response:
    """Send a project's page; redirects to its normalised name."""
    name = request.path_params["name"]
    if normalize_name(name) != name or not request.url.path.endswith("/"):
        up = "../" if request.url.path.endswith("/") else "./"  # or `x:y` would be a scheme
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{up}{normalize_name(name)}/{query}", 301)
    media, form = _negotiate_request(request)
    page, public = pages.get_simple_page(get_registry(request), target_view(request), name, form)
    if page.fresh_until is not None:
        mark_repeatable(request, page.fresh_until)
    return send_page(request, page, media, public, _make_page_headers(page))


def get_index_page(request: Request) -> Response:
    """Send the list of projects."""
    if not request.url.path.endswith("/"):
        return RedirectResponse("simple/", 301)
    media, form = _negotiate_request(request)
    page, public = queries.get_simple_index(get_registry(request), target_view(request), form)
    mark_repeatable(request)
    return send_page(request, page, media, public, _make_page_headers(page))


def _make_page_headers(page: Page) -> dict[str, str]:
    return {"vary": "Accept", LAST_SERIAL: str(page.serial)}


def get_file(request: Request) -> Response:
    """Send a file, or its METADATA for `FILE.metadata` (PEP 658)."""
    registry, path = get_registry(request), request.path_params
    name, sha256 = path["filename"], path["sha256"]
    of_metadata = name.endswith(".metadata")
    name = name.removesuffix(".metadata")
    where = (authenticate(request), path["channel"], sha256, name)
    if not of_metadata and is_plain_get(request):
        wanted = FileRequest(path["channel"], "", name, sha256)
        opened = pages.open_download(registry, where[0], wanted)
        if opened is not None:
            count_download(request, registry, (path["channel"], "", name))
            return send_download(opened[0], name, opened[1])
    if not of_metadata:
        return send_file(request, registry, pages.get_file(registry, *where))
    body, public = pages.get_metadata(registry, *where)
    headers = {
        "cache-control": cache_control(public, IMMUTABLE),
        "x-content-type-options": "nosniff",
        "content-security-policy": "sandbox",
    }
    return Response(body, 200, headers, "application/octet-stream")


PROVENANCE_MEDIA = "application/vnd.pypi.integrity.v1+json"


def get_project_json(request: Request) -> Response:
    """Send a project or a release in PyPI's JSON format."""
    registry, path, actor = get_registry(request), request.path_params, authenticate(request)
    channel = queries.get_channel(registry, actor, path["channel"])
    name, version = path["name"], path.get("version")
    root = str(request.base_url).rstrip("/")
    base, files_base = f"{root}/{channel.name}", f"{root}{PACKAGES}/{channel.name}"
    files = listings.list_release_files(registry, View(actor, channel.name), name, files_base)
    if version is not None:
        named = find_versions({file.version for file in files}, version)
        version, files = (min(named), files) if named else (version, [])
    if not files:
        raise Refused("not-found", f"There is no release of '{name[:100]}' here", status=404)
    chosen = version or project_json.choose_release(files)
    files = listings.with_metadata(registry, View(actor, channel.name), files, chosen)
    serial = queries.get_project_serial(registry, channel, name)
    value = project_json.build_project(normalize_name(name), files, version, base, serial)
    body = project_json.serialize(value)
    page = Page(body, make_etag(body), serial)
    headers = {LAST_SERIAL: str(serial)}
    return send_page(request, page, "application/json", channel.public, headers)


def get_provenance(request: Request) -> Response:
    """Send the provenance of a file."""
    registry, path = get_registry(request), request.path_params
    found = queries.get_file_by_name(
        registry, authenticate(request), path["channel"], "", path["filename"]
    )
    if found.file.provenance is None:
        raise Refused("not-found", f"{found.file.filename} has no provenance", status=404)
    body = found.file.provenance.encode()
    page = Page(body, make_etag(body), 0)
    return send_page(request, page, PROVENANCE_MEDIA, found.public)


routes = [
    *routes_with_label("/simple", get_index_page),
    *routes_with_label("/simple/", get_index_page),
    *in_proxy_threads(
        [
            *routes_with_label("/simple/{name}", get_project_page),
            *routes_with_label("/simple/{name}/", get_project_page),
            *routes_with_label("/files/{sha256}/{filename}", get_file),
            Route(f"{PACKAGES}/{{channel}}/files/{{sha256}}/{{filename}}", get_file),
            Route("/{channel}/pypi/{name}/json", get_project_json),
            Route("/{channel}/pypi/{name}/{version}/json", get_project_json),
        ]
    ),
    Route("/{channel}/integrity/{name}/{version}/{filename}/provenance", get_provenance),
]
