"""Health checks, metrics, and the caller's identity."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.names import normalize_name
from twofold.server.admission.policy import PlannedUpload, preflight
from twofold.server.metrics import Metrics
from twofold.server.model import Action
from twofold.server.registry import queries
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.error_responses import problem_response


def healthz(_request: Request) -> Response:
    """Report that the process is running."""
    return JSONResponse({"status": "ok"})


def readyz(request: Request) -> Response:
    """Report whether the database and the object store are reachable."""
    registry = get_registry(request)
    parts = {"database": registry.database.is_reachable(), "objects": registry.blobs.is_reachable()}
    if all(parts.values()):
        return JSONResponse({"status": "ok", **parts})
    away = ", ".join(name for name, there in parts.items() if not there)
    return problem_response("not-ready", f"Not ready: cannot reach {away}", status=503)


def metrics(request: Request) -> Response:
    """Return this process's request metrics for Prometheus."""
    kept: Metrics = request.app.state.metrics
    return Response(kept.render(), media_type="text/plain; version=0.0.4")


def whoami(request: Request) -> Response:
    """Who asks; with `?project=NAME` also whether an upload to it would be refused (403), and with
    `file`, `subdir` and `size` of one too, whether that file would be, with the upload's answer."""
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        request.path_params["channel"],
    )
    asked = request.query_params
    project = normalize_name(asked.get("project", "")) or None
    action = Action.UPLOAD if project else Action.READ
    queries.get_channel(registry, actor, channel, action, project)
    if project and asked.get("file"):
        size = asked.get("size", "")
        known = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else 0
        coming = PlannedUpload(project, asked["file"], asked.get("subdir", ""), known)
        preflight(registry, actor, channel, coming)
    return JSONResponse({"user": actor.name})


routes = [
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/{channel}/whoami", whoami),
]
