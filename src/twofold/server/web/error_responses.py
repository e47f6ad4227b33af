"""Error responses: the reason in the status line and in a problem+json body (RFC 9457).

One body serves every client: uv and pixi read `detail` and `code`, anaconda-client `error`,
people the whole. The Content-Type is exact, without charset, because uv compares it so.
"""

from __future__ import annotations

import errno
import json
import logging
import math
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from twofold.errors import Refused, StoreUnreachable, TwofoldError, Unreachable
from twofold.server.auth.login_throttle import WINDOW

log = logging.getLogger("twofold.server")

#: Response header that `server.run` moves into the status line.
REASON_HEADER = b"x-reason"

#: Maximum length of a reason phrase: twine and pip print one line, proxies cut at 4 or 8 kB.
MAX_REASON_LENGTH = 400

#: Errors of a disk without space: full, over quota, file too large.
_DISK_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

#: Status -> Retry-After (seconds): an unreachable store recovers sooner than a full one.
_RETRY_AFTER = {503: "5", 507: "60"}

#: The longest wait for an upstream that clients are asked for (seconds).
MAX_RETRY_AFTER = 60


def make_reason_phrase(message: str) -> bytes:
    """Return a message as a reason phrase (RFC 9112: printable characters, spaces and tabs)."""
    line = " ".join(message.split())
    plain = "".join(c if 32 <= ord(c) < 127 or 160 <= ord(c) < 256 else "?" for c in line)
    return (
        plain if len(plain) <= MAX_REASON_LENGTH else plain[: MAX_REASON_LENGTH - 3] + "..."
    ).encode("latin-1")


def make_problem(code: str, message: str, hint: str = "", status: int = 400) -> dict[str, object]:
    """Return the body of a problem (RFC 9457), in which every client finds its field."""
    return {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,  # RFC 9457: the same for every error of a type
        "status": status,
        "detail": f"{message} ({hint})" if hint else message,
        "code": code,
        "hint": hint,
        "message": message,
        "error": message,
    }


def problem_response(code: str, message: str, hint: str = "", status: int = 400) -> Response:
    """Return a problem response with the headers its status needs."""
    body = make_problem(code, message, hint, status)
    response = Response(
        json.dumps(body, ensure_ascii=False).encode("utf-8", "replace"),
        status,
        media_type="application/problem+json",
    )
    if status in _RETRY_AFTER:
        response.headers["retry-after"] = _RETRY_AFTER[status]
    if status == 401:
        response.headers["www-authenticate"] = 'Basic realm="twofold", charset="UTF-8"'
    if status == 429:
        response.headers["retry-after"] = str(WINDOW)
    return add_reason(response, message)


def add_reason(response: Response, message: str) -> Response:
    """Put the message in the status line and disable caching."""
    response.raw_headers.append((REASON_HEADER, make_reason_phrase(message)))
    response.headers["cache-control"] = "no-store"
    if response.status_code == 408:
        response.headers["connection"] = "close"  # the rest of the body is not read
    response.headers["x-content-type-options"] = "nosniff"
    return response


async def refused(_request: Request, error: Exception) -> Response:
    """Report a refusal with its own status and code."""
    assert isinstance(error, Refused)
    first = error.problems[0]
    return problem_response(error.code, first.message, first.hint, error.status)


async def storage_error(_request: Request, error: Exception) -> Response:
    """Report a failure of the database, object store or disk: 503, or 507 when full."""
    if isinstance(error, StoreUnreachable):  # hosts and paths are for the log
        log.error(json.dumps({"failed": "store", "reason": error.problems[0].message}))
        message = error.problems[0].message.partition(": ")[0]
        return problem_response("unavailable", message, "try again", 503)
    if isinstance(error, TwofoldError):
        first = error.problems[0]
        response = problem_response("unavailable", first.message, first.hint, 503)
        if isinstance(error, Unreachable) and error.retry_after:  # pip waits as long as it says
            response.headers["retry-after"] = str(
                min(math.ceil(error.retry_after), MAX_RETRY_AFTER)
            )
        return response
    log.error(json.dumps({"failed": "store", "reason": str(error)}))
    reason = f"The server's storage failed: {getattr(error, 'strerror', None) or 'see its log'}"
    if getattr(error, "errno", None) in _DISK_FULL:
        return problem_response(
            "no-space", reason, "nothing was changed; ask the operator to free space", 507
        )
    return problem_response("unavailable", reason, "try again", 503)


async def internal_error(_request: Request, _error: Exception) -> Response:
    """Report a bug (500): the traceback goes to the log, not to the client."""
    return problem_response(
        "internal-error", "Internal server error; the details are in the server's log", "", 500
    )


def _find_upload_hint(request: Request) -> str:
    """Where packages are uploaded to, for an upload to another address of the registry."""
    if request.method not in ("POST", "PUT"):
        return ""
    root = str(request.base_url).rstrip("/")
    path = request.url.path.removeprefix(request.scope.get("root_path", ""))
    channel, _, rest = path.lstrip("/").partition("/")
    if channel in ("legacy", "simple", "upload") and not rest.strip("/"):
        channel = ""  # the address of an index without channels
    return "" if channel == "api" else f"upload packages to {root}/{channel or 'CHANNEL'}/legacy/"


async def http_error(request: Request, error: Exception) -> Response:
    """Report an HTTP error of the router, such as 404 and 405."""
    status = getattr(error, "status_code", 500)
    texts = {404: "There is no resource at this URL", 405: "This URL does not support that method"}
    hint = _find_upload_hint(request) if status in (404, 405) else ""
    text = texts.get(status, getattr(error, "detail", ""))
    response = problem_response(f"http-{status}", text, hint, status)
    for name, value in (getattr(error, "headers", None) or {}).items():
        response.headers[name] = value
    return response
