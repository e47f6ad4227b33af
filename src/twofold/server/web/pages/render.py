"""Makes every HTML page: the template, its style and script, the content policy, compression.

Templates escape all text of others. The policy of a page allows its own style sheet and its own
script by their hashes, pictures and forms of this server, and nothing else: no frame, no other
address, no `style` attribute. A page says everything without the script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

import twofold
from twofold.server.web.pages.compression import compress
from twofold.server.web.pages.site import Site, describe_site
from twofold.server.web.pages.viewer import Viewer, describe_viewer

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).parent / "templates"

HTML_MEDIA = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Assets:
    """The style sheet and the script of all pages, and the policy that allows them."""

    style: str
    script: str
    policy: str


@cache
def load_assets() -> Assets:
    """Return the style sheet, the script and the policy."""
    style = _shorten((_TEMPLATES / "style.css").read_text(encoding="utf-8"))
    script = (_TEMPLATES / "page.js").read_text(encoding="utf-8").strip()
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return Assets(style, script, policy)


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _shorten(style: str) -> str:
    """Return a style sheet without its comments and indentation, which every page would carry."""
    lines = re.sub(r"/\*.*?\*/", "", style, flags=re.DOTALL).splitlines()
    return "\n".join(line.strip() for line in lines if line.strip())


@cache
def load_environment() -> Environment:
    """Return the templates. Imports jinja2 with the first page: programs read none."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        auto_reload=False,  # an upgrade under a running server changes nothing of it
    )


@dataclass(frozen=True)
class Frame:
    """What every page has around its content; `home` and `base_url` as `render` gives them."""

    home: str
    base_url: str
    site: Site
    viewer: Viewer


def render_text(template: str, frame: Frame, values: Mapping[str, Any]) -> str:
    """Render a template to the text of a page."""
    from markupsafe import Markup

    assets = load_assets()
    defaults = {
        "home": frame.home,
        "base_url": frame.base_url,
        "site": frame.site,
        "viewer": frame.viewer,
        "version": twofold.__version__,
        "style": Markup(assets.style),
        "script": Markup(assets.script),
        "q": "",
    }
    return load_environment().get_template(template).render({**defaults, **values})


def render(
    request: Request, template: str, values: Mapping[str, Any], *, public: bool, status: int = 200
) -> Response:
    """Render a template of templates/ as the response to a request.

    `public` says whether caches may keep it; a page for somebody who is signed in is never public.
    Every template has `home` (the registry's address as a path, to begin links with), `base_url`
    (the same as a full URL, for commands), `site`, `viewer`, `version` and `q` beside `values`.
    """
    viewer = describe_viewer(request)
    frame = Frame(
        request.base_url.path.rstrip("/"),
        str(request.base_url).rstrip("/"),
        describe_site(request.app.state.settings),
        viewer,
    )
    body = render_text(template, frame, values).encode()
    headers = {
        "content-type": HTML_MEDIA,
        "content-security-policy": load_assets().policy,
        "x-content-type-options": "nosniff",
        "referrer-policy": "same-origin",
        "cache-control": "no-cache" if public and not viewer.name else "private, no-cache",
        "vary": "Accept, Accept-Encoding, Cookie",
    }
    body, encoding = compress(body, request.headers.get("accept-encoding", ""))
    if encoding:
        headers["content-encoding"] = encoding
    return Response(body, status, headers)


def read_page_number(request: Request) -> int:
    """Return the number of the page in the query, from 1 on; 1 for anything else."""
    text = request.query_params.get("page", "")
    return max(1, int(text)) if text.isascii() and text.isdigit() and len(text) < 7 else 1
