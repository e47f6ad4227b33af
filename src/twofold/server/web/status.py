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
    unreachable = ", ".join(name for name, there in parts.items() if not there)
    return problem_response("not-ready", f"Not ready: cannot reach {unreachable}", status=503)


def metrics(request: Request) -> Response:
    """Return this process's request metrics for Prometheus."""
    counters: Metrics = request.app.state.metrics
    return Response(counters.render(), media_type="text/plain; version=0.0.4")


def whoami(request: Request) -> Response:
    """Return the caller, and check whether it can upload.

    `?project=NAME` checks the permission to upload to a project (403); with `file`, `subdir` and
    `size` it refuses a file for the same reasons as its upload would.
    """
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        request.path_params["channel"],
    )
    query = request.query_params
    project = normalize_name(query.get("project", "")) or None
    action = Action.UPLOAD if project else Action.READ
    queries.get_channel(registry, actor, channel, action, project)
    if project and query.get("file"):
        size = query.get("size", "")
        known = int(size) if size.isascii() and size.isdigit() and len(size) < 19 else 0
        planned = PlannedUpload(project, query["file"], query.get("subdir", ""), known)
        preflight(registry, actor, channel, planned)
    return JSONResponse({"user": actor.name})


routes = [
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/{channel}/whoami", whoami),
]
