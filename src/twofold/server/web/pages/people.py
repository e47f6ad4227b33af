"""The pages of users and organisations."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.model import ANONYMOUS
from twofold.server.registry.browsing import people
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.pages.render import read_page_number, render
from twofold.server.web.pages.text_formats import format_date


def show_person(request: Request) -> Response:
    """Show a user or an organisation: channels and projects that the reader may see."""
    registry, actor = get_registry(request), authenticate(request)
    name, number = request.path_params["name"], read_page_number(request)
    profile = people.get_profile(registry, actor, name, number)
    values = {"profile": profile, "format_date": format_date}
    return render(request, "person.html", values, public=actor is ANONYMOUS)


routes = [Route("/-/users/{name}", show_person)]
