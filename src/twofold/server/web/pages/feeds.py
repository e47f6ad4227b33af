"""Atom feeds (RFC 4287) of a channel's and a project's newest releases."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, tostring

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import twofold
from twofold.server.model import Page
from twofold.server.pages.page_updates import make_etag
from twofold.server.registry.browsing import feeds
from twofold.server.registry.browsing.feeds import Feed
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.file_responses import send_page

ATOM = "application/atom+xml"

_NAMESPACE = "http://www.w3.org/2005/Atom"

#: When a feed without entries was updated: never.
_NEVER = datetime(1970, 1, 1, tzinfo=UTC)


def get_channel_feed(request: Request) -> Response:
    """Send the feed of a channel."""
    registry, actor = get_registry(request), authenticate(request)
    return _send(request, feeds.get_channel_feed(registry, actor, request.path_params["channel"]))


def get_project_feed(request: Request) -> Response:
    """Send the feed of a project."""
    registry, actor, path = get_registry(request), authenticate(request), request.path_params
    return _send(request, feeds.get_project_feed(registry, actor, path["channel"], path["name"]))


def _send(request: Request, feed: Feed) -> Response:
    body = render_feed(feed, str(request.base_url).rstrip("/"))
    page = Page(body, make_etag(body), feed.channel.serial)
    return send_page(request, page, f"{ATOM}; charset=utf-8", feed.channel.public)


def render_feed(feed: Feed, base_url: str) -> bytes:
    """Render a feed; its links begin with the registry's URL."""
    channel = f"{base_url}/{quote(feed.channel.name)}"
    page = f"{channel}/project/{quote(feed.project)}" if feed.project else channel
    title = f"{feed.project} in {feed.channel.name}" if feed.project else feed.channel.name
    root = Element("feed", {"xmlns": _NAMESPACE})
    _add(root, "id", f"{page}/-/feed.atom")
    _add(root, "title", f"New releases: {title}")
    _add(root, "updated", _format(feed.updated_at or _NEVER))
    SubElement(root, "link", {"rel": "self", "type": ATOM, "href": f"{page}/-/feed.atom"})
    SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": page})
    _add(root, "generator", "twofold").set("version", twofold.__version__)
    _add(SubElement(root, "author"), "name", feed.channel.name)
    for release in feed.releases:
        listing = release.listing
        address = f"{channel}/project/{quote(listing.key)}/{quote(release.version, safe='')}"
        entry = SubElement(root, "entry")
        _add(entry, "id", address)
        _add(entry, "title", f"{listing.name} {release.version}")
        _add(entry, "updated", _format(release.updated_at))
        _add(entry, "published", _format(release.published_at))
        SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": address})
        for world in release.worlds:
            SubElement(entry, "category", {"term": world})
        _add(entry, "summary", listing.summary or f"{listing.name} {release.version}")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + bytes(tostring(root, "utf-8"))


def _add(parent: Element, name: str, text: str) -> Element:
    """Add an element with a text, without the characters that XML cannot hold."""
    child = SubElement(parent, name)
    child.text = "".join(c for c in text if c.isprintable() and c not in "\ufffe\uffff")
    return child


def _format(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")


routes = [
    Route("/{channel}/-/feed.atom", get_channel_feed),
    Route("/{channel}/project/{name}/-/feed.atom", get_project_feed),
]
