"""What the operator gave the registry's pages: its name, logo, icon and notice."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import TwofoldError
from twofold.server.pages.page_updates import make_etag
from twofold.server.settings import Settings
from twofold.server.web.file_responses import is_unchanged

#: Ending of a picture -> its media type.
PICTURES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".webp": "image/webp",
    ".ico": "image/x-icon",
}

#: The largest logo or icon (bytes): each is read once and kept in memory.
MAX_PICTURE = 512 << 10

_OWN_ICON = Path(__file__).parent / "templates" / "icon.svg"


@dataclass(frozen=True)
class Site:
    """How the operator wants the pages to look; `notice` is shown on every page, '' for none."""

    name: str
    notice: str
    has_logo: bool


def describe_site(settings: Settings) -> Site:
    """Return the part of the settings that pages show."""
    return Site(settings.site_name, settings.site_notice, settings.site_logo is not None)


def check_pictures(settings: Settings) -> None:
    """Read the logo and icon of the settings. Raises TwofoldError where a page cannot show one."""
    for path in (settings.site_logo, settings.site_icon):
        if path is not None:
            _read_picture(path)


@cache
def _read_picture(path: Path) -> tuple[bytes, str]:
    media = PICTURES.get(path.suffix.lower())
    if media is None:
        endings = ", ".join(sorted(PICTURES))
        raise TwofoldError(
            "this is not a picture for the pages", f"use one of {endings}", str(path)
        )
    try:
        body = path.read_bytes()
    except OSError as error:
        hint = "name a file that the server can read"
        raise TwofoldError(f"cannot read it: {error.strerror}", hint, str(path)) from error
    if len(body) > MAX_PICTURE:
        hint = f"use one of at most {MAX_PICTURE >> 10} KiB"
        raise TwofoldError("this picture is too large", hint, str(path))
    return body, media


def _send_picture(request: Request, path: Path) -> Response:
    body, media = _read_picture(path)
    etag = make_etag(body)
    headers = {
        "etag": etag,
        "cache-control": "public, max-age=3600",
        "x-content-type-options": "nosniff",
        # An SVG that is opened by itself is a document: it may neither run nor load anything.
        "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
    }
    if is_unchanged(request, etag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media)


def get_icon(request: Request) -> Response:
    """Send the icon that browsers show beside the title."""
    settings: Settings = request.app.state.settings
    return _send_picture(request, settings.site_icon or _OWN_ICON)


def get_logo(request: Request) -> Response:
    """Send the operator's logo, or the icon where there is none."""
    settings: Settings = request.app.state.settings
    return _send_picture(request, settings.site_logo or settings.site_icon or _OWN_ICON)


routes = [
    Route("/favicon.ico", get_icon),
    Route("/-/icon", get_icon),
    Route("/-/logo", get_logo),
]
