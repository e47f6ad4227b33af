"""Copying: files of one owner under a label of another one, without moving bytes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.auth import accounts
from twofold.server.registry import labels
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.web.anaconda.owners import get_channel_name, get_own_channel_name
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.json_body import JsonObject, with_json_body

#: What the three methods do with files that the target has already.
_EXISTING = {"POST": "refuse", "PUT": "replace", "PATCH": "keep"}


def copy(request: Request, told: JsonObject) -> Response:
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    owner = told.text("to_owner")
    target = (
        accounts.find_owner_channel(registry, owner)
        if owner
        else get_own_channel_name(request, actor)
    )
    promotion = Promotion(
        source=get_channel_name(request),
        target=target,
        selection=Selection(words["name"], words["version"], words["basename"] or None),
        from_label=told.text("from_channel", "main"),
        to_label=told.text("to_channel", "main"),
        existing=_EXISTING[request.method],
    )
    copied = labels.promote(registry, actor, promotion)
    return JSONResponse([{"basename": file.basename} for file in copied])


routes = [
    Route(
        "/api/copy/package/{owner}/{name}/{version}/{basename:path}",
        with_json_body(copy),
        methods=list(_EXISTING),
    )
]
