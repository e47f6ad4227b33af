"""Images of descriptions, through the registry (`twofold.server.proxy.images`)."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.context import not_found
from twofold.server.pages.description_html import find_images
from twofold.server.pages.description_renderer import render_release
from twofold.server.proxy.images import ImageCache, can_be_fetched
from twofold.server.registry import queries
from twofold.server.registry.browsing import releases
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import cache_control

#: Seconds for which browsers keep an image.
MAX_AGE = 86_400


def get_image(request: Request) -> Response:
    """Send an image of a release's description, by its place there."""
    registry, actor, path = get_registry(request), authenticate(request), request.path_params
    channel = queries.get_channel(registry, actor, path["channel"])
    project = queries.get_project(registry, actor, channel.name, path["name"])
    files = releases.list_files(registry, project, path["version"])
    html = render_release(registry.database, registry.description_renderer, files)
    images = find_images(html)
    is_shown = channel.settings.get("images") == "proxied" and path["place"] < len(images)
    if not is_shown or not can_be_fetched(images[path["place"]]):
        raise not_found(f"image {path['place']} of {project.name} {path['version'][:100]}")
    cache: ImageCache = request.app.state.images
    image = cache.get(images[path["place"]])
    headers = {
        "cache-control": cache_control(channel.public, f"max-age={MAX_AGE}"),
        "x-content-type-options": "nosniff",
        # An SVG that is opened by itself is a document: it may neither run nor load anything.
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    return Response(image.body, 200, headers, image.media)


routes = [Route("/{channel}/project/{name}/{version}/-/images/{place:int}", get_image)]
