"""PyPI's legacy upload API, for twine, uv, poetry, pdm and flit."""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.admission.checks import FormClaims
from twofold.server.model import Action, Actor
from twofold.server.registry import queries
from twofold.server.registry.publish import Upload, UploadResult, publish
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.request_body import MultipartForm, receive_body, receive_form

_DIGESTS = {
    "sha256_digest": "sha256",
    "md5_digest": "md5",
    "blake2_256_digest": "blake2_256",
}


async def upload_distribution(request: Request) -> Response:
    """Receive one file. Refuses a caller without permission before reading the file."""
    registry, channel = get_registry(request), request.path_params["channel"]
    actor = await run_in_threadpool(_require_uploader, request)
    form = await receive_form(request, request.app.state.spool)
    try:
        done = await run_in_threadpool(
            publish, registry, actor, channel, _distribution_upload(form)
        )
    finally:
        form.discard()
    answer = upload_response(done)
    if form.dropped:
        answer["dropped"] = form.dropped
    return JSONResponse(answer)


def _require_uploader(request: Request) -> Actor:
    """Return the caller if some project of the channel may be uploaded. Raises Refused.

    Which project the file is of, and whether a token is for that one, is known after the body.
    """
    actor = authenticate(request)
    projects = actor.token.projects if actor.token is not None else []
    queries.get_channel(
        get_registry(request),
        actor,
        request.path_params["channel"],
        Action.UPLOAD,
        projects[0] if projects else None,
    )
    return actor


def _distribution_upload(form: MultipartForm) -> Upload:
    if form.get(":action") != "file_upload":
        raise Refused("unknown-action", "':action' must be 'file_upload'")
    if form.get("protocol_version") not in ("", "1"):
        raise Refused("unknown-protocol", "'protocol_version' must be '1'")
    if form.path is None:
        raise Refused("no-file", "The form contains no file named 'content'")
    claims = FormClaims(
        name=form.get("name"),
        version=form.get("version"),
        filetype=form.get("filetype"),
        digests={name: form.get(key) for key, name in _DIGESTS.items() if form.get(key)},
    )
    return Upload(form.path, form.filename, claims, attestations=form.get("attestations"))


def upload_response(done: UploadResult) -> dict[str, object]:
    """Return the response to an upload, with its converted packages or why there are none."""
    return {
        "filename": done.file.filename,
        "sha256": done.file.sha256,
        "new": done.is_new,
        "conda": [package.basename for package in done.converted],
        "remark": done.conversion_note,
    }


async def redirect_to_slash(request: Request) -> Response:
    """Redirect to the URL with a slash at the end; uv follows absolute URLs only."""
    root, channel = str(request.base_url).rstrip("/"), request.path_params["channel"]
    return RedirectResponse(f"{root}/{quote(channel)}/legacy/", 308)


async def upload_file(request: Request) -> Response:
    """Receive one file with its name and hash in headers."""
    registry, channel = get_registry(request), request.path_params["channel"]
    actor = await run_in_threadpool(_require_uploader, request)
    form = await _receive_file(request)
    try:
        done = await run_in_threadpool(
            publish, registry, actor, channel, _file_upload(request, form)
        )
    finally:
        form.discard()
    file = done.file
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    url = f"{str(request.base_url).rstrip('/')}/{channel}/{place}"
    return JSONResponse({**upload_response(done), "sha256": file.sha256, "url": url})


async def _receive_file(request: Request) -> MultipartForm:
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await receive_form(request, request.app.state.spool)
    return await receive_body(request, request.app.state.spool)


def _file_upload(request: Request, form: MultipartForm) -> Upload:
    filename = request.headers.get("x-file-name") or form.filename
    filename = filename or str(request.path_params.get("filename", ""))
    if form.path is None or not filename:
        raise Refused("no-file", "The request has no file, or no filename in x-file-name")
    sha256 = request.headers.get("x-file-sha256") or request.query_params.get("sha256", "")
    claims = FormClaims(digests={"sha256": sha256} if sha256 else {})
    return Upload(form.path, filename, claims)


routes = [
    Route("/{channel}/legacy/", upload_distribution, methods=["POST"]),
    Route("/{channel}/legacy", redirect_to_slash, methods=["POST"]),
    Route("/{channel}/upload", upload_file, methods=["POST"]),
    Route("/api/v1/upload/{channel}", upload_file, methods=["POST"]),
    Route("/api/channels/{channel}/upload/{filename}", upload_file, methods=["POST"]),
]
