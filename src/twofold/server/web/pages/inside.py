"""Pages that look into files: the members of one, the text of a member, two releases compared."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.server.registry.browsing import comparison, inside
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.pages.render import read_page_number, render

#: Members on a page.
PAGE_SIZE = 500

#: The longest words of a query that are read (characters).
_LONGEST = 1024


def show_file(request: Request) -> Response:
    """List the members of a file, or show the text of the one that is asked for."""
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    found = inside.find_file(registry, actor, words["channel"], words["name"], words["basename"])
    values = {
        "channel": found.channel,
        "project": found.project,
        "file": found.file,
        "here": quote(found.file.filename),
    }
    wanted = request.query_params.get("member", "")[:_LONGEST]
    if wanted:
        member = inside.read_member(registry, found.file, wanted)
        return render(
            request, "member.html", {**values, "member": member}, public=found.channel.public
        )
    members = inside.list_file_members(registry, found.file)
    part = request.query_params.get("part", "")[:_LONGEST]
    fitting = [one for one in members if part.lower() in one.path.lower()]
    pages = max(1, -(-len(fitting) // PAGE_SIZE))
    number = min(read_page_number(request), pages)
    values |= {
        "members": fitting[(number - 1) * PAGE_SIZE : number * PAGE_SIZE],
        "count": len(members),
        "fitting": len(fitting),
        "unpacked": sum(one.size for one in members),
        "metadata": inside.find_metadata_members(members),
        "part": part,
        "number": number,
        "pages": pages,
        "next_address": f"?{urlencode({'part': part}, errors='replace')}&page=",
    }
    return render(request, "inside.html", values, public=found.channel.public)


def show_comparison(request: Request) -> Response:
    """Compare two files of a project."""
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    chosen = tuple(request.query_params.get(name, "")[:_LONGEST] for name in ("from", "to"))
    found = comparison.choose_files(
        registry, actor, words["channel"], words["name"], (chosen[0], chosen[1])
    )
    result = None
    if found.old is not None and found.new is not None:
        result = comparison.compare(registry, found.old, found.new)
    values = {
        "channel": found.channel,
        "project": found.project,
        "result": result,
        "versions": [[one, one] for one in found.versions],
    }
    return render(request, "comparison.html", values, public=found.channel.public)


routes = [
    Route("/{channel}/project/{name}/-/files/{basename:path}", show_file),
    Route("/{channel}/project/{name}/-/compare", show_comparison),
]
