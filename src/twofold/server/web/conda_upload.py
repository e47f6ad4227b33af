"""Uploads of single files, conda packages above all.

`POST /CHANNEL/upload` is ours: the file as body or as the form's file, `x-file-name`,
`x-file-sha256`. `POST /api/v1/upload/CHANNEL` is prefix.dev's address for the same.
"""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.admission.checks import FormClaims
from twofold.server.model import Action
from twofold.server.registry import queries
from twofold.server.registry.publish import Upload, publish
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.request_body import MultipartForm, receive_body, receive_form
from twofold.server.web.uploads import upload_response


async def upload(request: Request) -> Response:
    registry, channel = get_registry(request), request.path_params["channel"]
    actor = await run_in_threadpool(authenticate, request)
    if actor.token is None or actor.token.project is None:
        await run_in_threadpool(queries.get_channel, registry, actor, channel, Action.UPLOAD)
    form = await _form(request)
    try:
        done = await run_in_threadpool(publish, registry, actor, channel, _upload(request, form))
    finally:
        form.discard()
    file = done.file
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    url = f"{str(request.base_url).rstrip('/')}/{channel}/{place}"
    return JSONResponse({**upload_response(done), "sha256": file.sha256, "url": url})


async def _form(request: Request) -> MultipartForm:
    registry, largest = get_registry(request), request.app.state.settings.largest_file
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await receive_form(request, registry.spool, largest)
    path = await receive_body(request, registry.spool, largest)
    return MultipartForm(path=path)


def _upload(request: Request, form: MultipartForm) -> Upload:
    filename = request.headers.get("x-file-name") or form.filename
    filename = filename or str(request.path_params.get("filename", ""))
    if form.path is None or not filename:
        raise Refused("no-file", "There is no file, or no name for it in x-file-name")
    sha256 = request.headers.get("x-file-sha256") or request.query_params.get("sha256", "")
    claims = FormClaims(digests={"sha256": sha256} if sha256 else {})
    return Upload(form.path, filename, claims)


routes = [
    Route("/{channel}/upload", upload, methods=["POST"]),
    Route("/api/v1/upload/{channel}", upload, methods=["POST"]),
    Route("/api/channels/{channel}/upload/{filename}", upload, methods=["POST"]),
]
