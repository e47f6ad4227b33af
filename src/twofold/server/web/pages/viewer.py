"""Who looks at a page, for its header: the name, and links or a form to sign in and out."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from twofold.errors import Refused
from twofold.server.web.credentials import authenticate


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
        actor = authenticate(request)
    except Refused:
        return Viewer()
    return Viewer(actor.name if actor.user is not None else "")
