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
from twofold.server.gates import Claims
from twofold.server.model import Action
from twofold.server.registry import looking
from twofold.server.registry.publishing import Upload, publish
from twofold.server.web.asking import actor_of, registry_of
from twofold.server.web.forms import Form, receive_body, receive_form
from twofold.server.web.legacy import answer


async def upload(request: Request) -> Response:
    registry, channel = registry_of(request), request.path_params["channel"]
    actor = await run_in_threadpool(actor_of, request)
    if actor.token is None or actor.token.project is None:
        await run_in_threadpool(looking.channel, registry, actor, channel, Action.UPLOAD)
    form = await _form(request)
    try:
        done = await run_in_threadpool(publish, registry, actor, channel, _upload(request, form))
    finally:
        form.discard()
    file = done.file
    place = file.basename if file.subdir else f"files/{file.sha256}/{file.filename}"
    url = f"{str(request.base_url).rstrip('/')}/{channel}/{place}"
    return JSONResponse({**answer(done), "sha256": file.sha256, "url": url})


async def _form(request: Request) -> Form:
    registry, largest = registry_of(request), request.app.state.settings.largest_file
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await receive_form(request, registry.spool, largest)
    path = await receive_body(request, registry.spool, largest)
    return Form(path=path)


def _upload(request: Request, form: Form) -> Upload:
    filename = request.headers.get("x-file-name") or form.filename
    filename = filename or str(request.path_params.get("filename", ""))
    if form.path is None or not filename:
        raise Refused("no-file", "There is no file, or no name for it in x-file-name")
    sha256 = request.headers.get("x-file-sha256") or request.query_params.get("sha256", "")
    claims = Claims(digests={"sha256": sha256} if sha256 else {})
    return Upload(form.path, filename, claims)


routes = [
    Route("/{channel}/upload", upload, methods=["POST"]),
    Route("/api/v1/upload/{channel}", upload, methods=["POST"]),
    Route("/api/channels/{channel}/upload/{filename}", upload, methods=["POST"]),
]
