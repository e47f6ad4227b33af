"""Who looks at a page, for its header: the name, and links or a form to sign in and out."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.requests import Request

from twofold.errors import Refused, Unreachable
from twofold.server.web.credentials import authenticate, find_session
from twofold.server.web.session_cookie import make_csrf_token, read_cookie

#: The menu of who is signed in: texts and paths below the registry's address.
MENU = (("Your account", "/-/account"), ("Manage", "/-/manage"))


@dataclass(frozen=True)
class Viewer:
    """The caller as the header shows them; `name` is '' for one who is not signed in.

    `menu` has the links of their menu, each a text and a path below the registry's address.
    `sign_in` and `sign_out` are such paths too, '' where there is nothing to link to;
    `csrf` is the token that the form to sign out sends.
    """

    name: str = ""
    menu: tuple[tuple[str, str], ...] = ()
    sign_in: str = ""
    sign_out: str = ""
    csrf: str = ""


def describe_viewer(request: Request) -> Viewer:
    """Describe the caller for the header of a page; wrong credentials are nobody's."""
    try:
        actor = find_session(request)
        if actor is not None and actor.user is not None:
            csrf = make_csrf_token(read_cookie(request))
            return Viewer(actor.user.name, MENU, sign_out="/-/sign-out", csrf=csrf)
        actor = authenticate(request)
    except (Refused, Unreachable):  # the page of an error is shown without the database too
        return Viewer(sign_in=_make_sign_in_path(request))
    name = actor.name if actor.user is not None else ""
    return Viewer(name, sign_in="" if name else _make_sign_in_path(request))


def _make_sign_in_path(request: Request) -> str:
    """Return the path of the sign-in, which leads back to this page."""
    if request.method not in ("GET", "HEAD") or request.url.path.startswith("/-/sign-in"):
        return "/-/sign-in"
    path = request.url.path.removeprefix(request.base_url.path.rstrip("/"))
    query = f"?{request.url.query}" if request.url.query else ""
    return f"/-/sign-in?next={quote(path + query)}"
