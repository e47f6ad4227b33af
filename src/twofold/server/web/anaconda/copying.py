"""Copying: files of one owner under a label of another one, without moving bytes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.server.registry import labelling, people
from twofold.server.registry.labelling import Promotion, Selection
from twofold.server.web.anaconda.owners import channel_of, own_channel
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.told import Told, with_told

#: What the three methods do with files that the target has already.
_EXISTING = {"POST": "refuse", "PUT": "replace", "PATCH": "keep"}


def copy(request: Request, told: Told) -> Response:
    registry, actor, words = registry_of(request), actor_of(request), request.path_params
    owner = told.text("to_owner")
    target = people.channel_of_owner(registry, owner) if owner else own_channel(request, actor)
    promotion = Promotion(
        source=channel_of(request),
        target=target,
        wanted=Selection(words["name"], words["version"], words["basename"] or None),
        from_label=told.text("from_channel", "main"),
        to_label=told.text("to_channel", "main"),
        existing=_EXISTING[request.method],
    )
    copied = labelling.promote(registry, actor, promotion)
    return JSONResponse([{"basename": file.basename} for file in copied])


routes = [
    Route(
        "/api/copy/package/{owner}/{name}/{version}/{basename:path}",
        with_told(copy),
        methods=list(_EXISTING),
    )
]
