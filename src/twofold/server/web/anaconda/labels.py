"""Labels, which this API calls channels: listed, filled, emptied, copied, removed, locked."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.context import Registry, not_found
from twofold.server.model import Actor
from twofold.server.registry import labels, queries
from twofold.server.registry.labels import Selection
from twofold.server.web.anaconda.owners import get_channel_name
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.json_body import JsonObject, with_json_body


def list_all(request: Request) -> Response:
    found = labels.list_labels(
        get_registry(request), authenticate(request), get_channel_name(request)
    )
    return JSONResponse({label: {"is_locked": locked} for label, locked in found.items()})


def show(request: Request) -> Response:
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        get_channel_name(request),
    )
    label, owner = request.path_params["label"], request.path_params["owner"]
    found = labels.list_labelled_files(registry, actor, channel, label)
    locked = labels.list_labels(registry, actor, channel)[label]
    names = {
        project.id: project.name for project in queries.list_projects(registry, actor, channel)
    }
    files = [
        {
            "basename": file.basename,
            "full_name": f"{owner}/{names[file.project_id]}/{file.version}/{file.basename}",
        }
        for file in found
    ]
    return JSONResponse({"is_locked": locked, "files": files})


def add(request: Request, told: JsonObject) -> Response:
    """Put files under the label; without a package, only make it."""
    labels.add_label(*_place(request), _selection(told))
    return JSONResponse({}, 201)


def remove(request: Request, told: JsonObject) -> Response:
    """Take files out of the label; without a package, remove it."""
    wanted = _selection(told)
    if wanted is not None:
        labels.unlabel(*_place(request), wanted)
    else:
        _demand_label(request)
        labels.remove_label(*_place(request))
    return JSONResponse({}, 201)


def copy(request: Request) -> Response:
    _demand_label(request)
    labels.copy_label(*_place(request), request.path_params["target"])
    return JSONResponse({}, 201)


def lock(request: Request) -> Response:
    labels.lock_label(*_place(request), locked=True)
    return JSONResponse({}, 201)


def unlock(request: Request) -> Response:
    _demand_label(request)
    labels.lock_label(*_place(request), locked=False)
    return JSONResponse({}, 201)


def _place(request: Request) -> tuple[Registry, Actor, str, str]:
    label = request.path_params["label"]
    return get_registry(request), authenticate(request), get_channel_name(request), label


def _demand_label(request: Request) -> None:
    registry, actor, channel, label = _place(request)
    if label not in labels.list_labels(registry, actor, channel):
        raise not_found(f"label '{label[:100]}'")


def _selection(told: JsonObject) -> Selection | None:
    package, version = told.text("package"), told.text("version")
    basename = told.text("basename")
    if not package:
        if version or basename:
            raise Refused("no-package", "A version or a file is told without its package")
        return None
    return Selection(package, version or None, basename or None)


_LABEL = "/api/channels/{owner}/{label}"

routes = [
    Route("/api/channels/{owner}", list_all),
    Route(_LABEL, show),
    Route(_LABEL, with_json_body(add), methods=["POST"]),
    Route(_LABEL, with_json_body(remove), methods=["DELETE"]),
    Route(f"{_LABEL}/copy/{{target}}", copy, methods=["POST"]),
    Route(f"{_LABEL}/lock", lock, methods=["POST"]),
    Route(f"{_LABEL}/lock", unlock, methods=["DELETE"]),
]
