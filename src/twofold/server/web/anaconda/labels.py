"""Labels, which this API calls channels: listed, filled, emptied, copied, removed, locked."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Actor
from twofold.server.registry import Registry, labelling, looking
from twofold.server.registry.labelling import Selection
from twofold.server.web.anaconda.owners import channel_of
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.told import Told, with_told


def list_all(request: Request) -> Response:
    found = labelling.labels(registry_of(request), actor_of(request), channel_of(request))
    return JSONResponse({label: {"is_locked": locked} for label, locked in found.items()})


def show(request: Request) -> Response:
    registry, actor, channel = registry_of(request), actor_of(request), channel_of(request)
    label, owner = request.path_params["label"], request.path_params["owner"]
    found = labelling.labelled(registry, actor, channel, label)
    locked = labelling.labels(registry, actor, channel)[label]
    names = {project.id: project.name for project in looking.projects(registry, actor, channel)}
    files = [
        {
            "basename": file.basename,
            "full_name": f"{owner}/{names[file.project_id]}/{file.version}/{file.basename}",
        }
        for file in found
    ]
    return JSONResponse({"is_locked": locked, "files": files})


def add(request: Request, told: Told) -> Response:
    """Put files under the label; without a package, only make it."""
    labelling.label(*_place(request), _selection(told))
    return JSONResponse({}, 201)


def remove(request: Request, told: Told) -> Response:
    """Take files out of the label; without a package, remove it."""
    wanted = _selection(told)
    if wanted is not None:
        labelling.unlabel(*_place(request), wanted)
    else:
        _demand_label(request)
        labelling.remove_label(*_place(request))
    return JSONResponse({}, 201)


def copy(request: Request) -> Response:
    _demand_label(request)
    labelling.copy_label(*_place(request), request.path_params["target"])
    return JSONResponse({}, 201)


def lock(request: Request) -> Response:
    labelling.lock_label(*_place(request), locked=True)
    return JSONResponse({}, 201)


def unlock(request: Request) -> Response:
    _demand_label(request)
    labelling.lock_label(*_place(request), locked=False)
    return JSONResponse({}, 201)


def _place(request: Request) -> tuple[Registry, Actor, str, str]:
    label = request.path_params["label"]
    return registry_of(request), actor_of(request), channel_of(request), label


def _demand_label(request: Request) -> None:
    registry, actor, channel, label = _place(request)
    if label not in labelling.labels(registry, actor, channel):
        raise looking.not_found(f"label '{label[:100]}'")


def _selection(told: Told) -> Selection | None:
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
    Route(_LABEL, with_told(add), methods=["POST"]),
    Route(_LABEL, with_told(remove), methods=["DELETE"]),
    Route(f"{_LABEL}/copy/{{target}}", copy, methods=["POST"]),
    Route(f"{_LABEL}/lock", lock, methods=["POST"]),
    Route(f"{_LABEL}/lock", unlock, methods=["DELETE"]),
]
