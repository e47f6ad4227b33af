"""Labels, which this API calls channels, and copies of files between them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.context import Registry, not_found
from twofold.server.model import Actor
from twofold.server.registry import labels, queries
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.web.anaconda.owners import get_channel_name, get_own_channel_name
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.json_body import JsonObject, with_json_body


def list_labels(request: Request) -> Response:
    """List the labels of a channel."""
    found = labels.list_labels(
        get_registry(request), authenticate(request), get_channel_name(request)
    )
    return JSONResponse({label: {"is_locked": locked} for label, locked in found.items()})


def show_label(request: Request) -> Response:
    """Show a label and its files."""
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


def add_files(request: Request, body: JsonObject) -> Response:
    """Add files to a label; without a package, only create the label."""
    labels.add_label(*_label_in_path(request), _parse_selection(body))
    return JSONResponse({}, 201)


def remove_files(request: Request, body: JsonObject) -> Response:
    """Remove files from a label; without a package, remove the label."""
    wanted = _parse_selection(body)
    if wanted is not None:
        labels.unlabel(*_label_in_path(request), wanted)
    else:
        _require_label(request)
        labels.remove_label(*_label_in_path(request))
    return JSONResponse({}, 201)


def copy_label(request: Request) -> Response:
    """Add another label to all files of a label."""
    _require_label(request)
    labels.copy_label(*_label_in_path(request), request.path_params["target"])
    return JSONResponse({}, 201)


def lock_label(request: Request) -> Response:
    """Lock a label."""
    labels.lock_label(*_label_in_path(request), locked=True)
    return JSONResponse({}, 201)


def unlock_label(request: Request) -> Response:
    """Unlock a label."""
    _require_label(request)
    labels.lock_label(*_label_in_path(request), locked=False)
    return JSONResponse({}, 201)


def _label_in_path(request: Request) -> tuple[Registry, Actor, str, str]:
    label = request.path_params["label"]
    return get_registry(request), authenticate(request), get_channel_name(request), label


def _require_label(request: Request) -> None:
    registry, actor, channel, label = _label_in_path(request)
    if label not in labels.list_labels(registry, actor, channel):
        raise not_found(f"label '{label[:100]}'")


def _parse_selection(body: JsonObject) -> Selection | None:
    package, version = body.text("package"), body.text("version")
    basename = body.text("basename")
    if not package:
        if version or basename:
            raise Refused("no-package", "A version or a file is given without its package")
        return None
    return Selection(package, version or None, basename or None)


_LABEL = "/api/channels/{owner}/{label}"

#: Method -> what it does with files that the target already has.
_EXISTING = {"POST": "refuse", "PUT": "replace", "PATCH": "keep"}


def copy_files(request: Request, body: JsonObject) -> Response:
    """Copy files to a label of another owner, without copying bytes."""
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    owner = body.text("to_owner")
    target = (
        accounts.find_owner_channel(registry, owner)
        if owner
        else get_own_channel_name(request, actor)
    )
    promotion = Promotion(
        source=get_channel_name(request),
        target=target,
        selection=Selection(words["name"], words["version"], words["basename"] or None),
        from_label=body.text("from_channel", "main"),
        to_label=body.text("to_channel", "main"),
        existing=_EXISTING[request.method],
    )
    copied = labels.promote(registry, actor, promotion)
    return JSONResponse([{"basename": file.basename} for file in copied])


routes = [
    Route("/api/channels/{owner}", list_labels),
    Route(_LABEL, show_label),
    Route(_LABEL, with_json_body(add_files), methods=["POST"]),
    Route(_LABEL, with_json_body(remove_files), methods=["DELETE"]),
    Route(f"{_LABEL}/copy/{{target}}", copy_label, methods=["POST"]),
    Route(f"{_LABEL}/lock", lock_label, methods=["POST"]),
    Route(f"{_LABEL}/lock", unlock_label, methods=["DELETE"]),
    Route(
        "/api/copy/package/{owner}/{name}/{version}/{basename:path}",
        with_json_body(copy_files),
        methods=list(_EXISTING),
    ),
]
