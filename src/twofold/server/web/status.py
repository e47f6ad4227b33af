"""Health checks, metrics, and the caller's identity."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.admission.policy import PlannedUpload, preflight
from twofold.server.context import Registry
from twofold.server.model import Action, Actor, StoredFile
from twofold.server.registry import queries
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.error_responses import make_problem, problem_response
from twofold.server.web.json_body import JsonObject, with_json_body

#: So many files are checked in one request.
MAX_FILES = 500


def healthz(_request: Request) -> Response:
    """Report that the process is running."""
    return JSONResponse({"status": "ok"})


def readyz(request: Request) -> Response:
    """Report whether the database and the object store are reachable.

    `client` is the caller's address as the registry sees it, behind its proxies.
    """
    registry = get_registry(request)
    parts = {"database": registry.database.is_reachable(), "objects": registry.blobs.is_reachable()}
    if all(parts.values()):
        client = request.client.host if request.client else ""
        return JSONResponse({"status": "ok", **parts, "client": client})
    unreachable = ", ".join(name for name, there in parts.items() if not there)
    return problem_response("not-ready", f"Not ready: cannot reach {unreachable}", status=503)


def metrics(request: Request) -> Response:
    """Return this process's request metrics for Prometheus."""
    counters: Metrics = request.app.state.metrics
    body = counters.render(request.app.state.spool.used)
    return Response(body, media_type="text/plain; version=0.0.4")


def whoami(request: Request) -> Response:
    """Return the caller, and check whether it can upload.

    `?project=NAME` checks the permission to upload to a project (403); with `file`, `subdir` and
    `size` it refuses a file for the same reasons as its upload would, and returns the file that has
    its name: null without one. A channel that proxies an index returns none.
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
        return JSONResponse(_check_upload(registry, actor, channel, planned))
    return JSONResponse({"user": actor.name})


def whoami_for_files(request: Request, body: JsonObject) -> Response:
    """Return the caller, and for each of `files` the answer that `whoami` gives about it alone.

    Each has `project`, `file`, `subdir` and `size`; each answer `status` and `body`.
    """
    registry, actor, channel = (
        get_registry(request),
        authenticate(request),
        request.path_params["channel"],
    )
    requested = body.objects("files")
    keys = {normalize_name(one.text("project")) for one in requested}
    only = keys.pop() if len(keys) == 1 else None  # a token may be for one project
    queries.get_channel(registry, actor, channel, Action.UPLOAD, only)
    if len(requested) > MAX_FILES:
        hint = f"send {MAX_FILES} at a time"
        raise Refused("too-many-files", f"There are more than {MAX_FILES} files", hint, 413)
    answers: list[dict[str, object]] = []
    for one in requested:
        key, size = normalize_name(one.text("project")), one.number("size") or 0
        planned = PlannedUpload(key, one.text("file"), one.text("subdir"), size)
        try:
            found = _check_upload(registry, actor, channel, planned)
            answers.append({"status": 200, "body": found})
        except Refused as error:
            first = error.problems[0]
            problem = make_problem(error.code, first.message, first.hint, error.status)
            answers.append({"status": error.status, "body": problem})
    return JSONResponse({"user": actor.name, "files": answers})


def _check_upload(
    registry: Registry, actor: Actor, channel: str, planned: PlannedUpload
) -> dict[str, object]:
    """Raise Refused as the upload would; return the caller and the file of that name."""
    found = preflight(registry, actor, channel, planned)
    known = {"file": _describe_file(found.existing)} if found.is_known else {}
    return {"user": actor.name, **known}


def _describe_file(file: StoredFile | None) -> dict[str, object] | None:
    """Return what a client compares with its own file; None without one of that name."""
    if file is None:
        return None
    return {
        "sha256": file.sha256,
        "yanked": file.yanked,
        "converted": file.made_from is not None,
    }


routes = [
    Route("/healthz", healthz),
    Route("/readyz", readyz),
    Route("/metrics", metrics),
    Route("/{channel}/whoami", whoami, methods=["GET"]),
    Route("/{channel}/whoami", with_json_body(whoami_for_files), methods=["POST"]),
]


#: Upper bounds of the histogram's buckets (seconds).
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


@dataclass
class Metrics:
    """Counters of a process; call `observe` for every answered request."""

    requests: Counter[tuple[str, int]] = field(default_factory=Counter)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BOUNDS) + 1))
    seconds: float = 0.0
    sent: int = 0
    in_progress: int = 0
    failed_logins: int = 0
    started_at: float = field(default_factory=time.time)

    def observe(self, method: str, status: int, seconds: float, sent: int) -> None:
        """Count a request; `sent` is the size of the response body in bytes."""
        self.requests[method, status] += 1
        self.seconds += seconds
        self.sent += sent
        for place, bound in enumerate(BOUNDS):
            if seconds <= bound:
                self.buckets[place] += 1
                return
        self.buckets[-1] += 1

    def render(self, spool_bytes: int = 0) -> str:
        """Return the metrics in Prometheus's text format; `spool_bytes` are of uploads."""
        lines = [
            "# HELP twofold_requests_total Requests answered.",
            "# TYPE twofold_requests_total counter",
        ]
        for (method, status), count in sorted(self.requests.items()):
            labels = f'method="{method}",status="{status}"'
            lines.append(f"twofold_requests_total{{{labels}}} {count}")
        lines += [
            "# HELP twofold_request_seconds How long requests took.",
            "# TYPE twofold_request_seconds histogram",
        ]
        total = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), self.buckets, strict=True):
            total += count
            lines.append(f'twofold_request_seconds_bucket{{le="{bound}"}} {total}')
        lines += [
            f"twofold_request_seconds_sum {self.seconds:.6f}",
            f"twofold_request_seconds_count {total}",
            "# HELP twofold_sent_bytes_total Bytes of answers' bodies.",
            "# TYPE twofold_sent_bytes_total counter",
            f"twofold_sent_bytes_total {self.sent}",
            "# HELP twofold_requests_under_way Requests that are being answered.",
            "# TYPE twofold_requests_under_way gauge",
            f"twofold_requests_under_way {self.in_progress}",
            "# HELP twofold_failed_logins_total Wrong passwords and tokens.",
            "# TYPE twofold_failed_logins_total counter",
            f"twofold_failed_logins_total {self.failed_logins}",
            "# HELP twofold_spool_bytes Bytes of the uploads in progress.",
            "# TYPE twofold_spool_bytes gauge",
            f"twofold_spool_bytes {spool_bytes}",
            "# HELP twofold_start_time_seconds When the process started, since 1970.",
            "# TYPE twofold_start_time_seconds gauge",
            f"twofold_start_time_seconds {self.started_at:.0f}",
        ]
        return "\n".join(lines) + "\n"
