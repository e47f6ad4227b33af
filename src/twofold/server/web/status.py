"""How the server is, and who asks."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.names import normalised
from twofold.server.metrics import Metrics
from twofold.server.model import Action
from twofold.server.registry import looking
from twofold.server.registry.foreseeing import Coming, foresee
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.problem import problem


def healthz(_request: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


def readyz(request: Request) -> Response:
    """Database and object store answer too."""
    registry = registry_of(request)
    parts = {"database": registry.database.answers(), "objects": registry.blobs.answers()}
    if all(parts.values()):
        return JSONResponse({"status": "ok", **parts})
    away = ", ".join(name for name, there in parts.items() if not there)
    return problem("not-ready", f"Not ready: {away} cannot be reached", status=503)


def metrics(request: Request) -> Response:
    """What this process has answered, for Prometheus."""
    kept: Metrics = request.app.state.metrics
    return Response(kept.text(), media_type="text/plain; version=0.0.4")


def whoami(request: Request) -> Response:
    """Who asks; with `?project=NAME` also whether an upload to it would be refused (403), and with
    `file`, `subdir` and `size` of one too, whether that file would be, with the upload's answer."""
    registry, actor, channel = (
        registry_of(request),
        actor_of(request),
        request.path_params["channel"],
    )
    asked = request.query_params
    project = normalised(asked.get("project", "")) or None
    action = Action.UPLOAD if project else Action.READ
    looking.channel(registry, actor, channel, action, project)
    if project and asked.get("file"):
        size = asked.get("size", "")
        known = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else 0
        coming = Coming(project, asked["file"], asked.get("subdir", ""), known)
        foresee(registry, actor, channel, coming)
    return JSONResponse({"user": actor.name})


routes = [
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/{channel}/whoami", whoami),
]
