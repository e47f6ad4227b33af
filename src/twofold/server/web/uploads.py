"""The legacy upload API, for twine, uv, poetry, pdm and flit."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.admission.checks import FormClaims
from twofold.server.model import Action
from twofold.server.registry import queries
from twofold.server.registry.publish import Upload, UploadResult, publish
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.request_body import MultipartForm, receive_form

_DIGESTS = {
    "sha256_digest": "sha256",
    "md5_digest": "md5",
    "blake2_256_digest": "blake2_256",
}


async def upload_distribution(request: Request) -> Response:
    """One file. Who may not upload is told before the file is read."""
    registry, channel = get_registry(request), request.path_params["channel"]
    actor = await run_in_threadpool(authenticate, request)
    if actor.token is None or actor.token.project is None:
        await run_in_threadpool(queries.get_channel, registry, actor, channel, Action.UPLOAD)
    form = await receive_form(request, registry.spool, request.app.state.settings.largest_file)
    try:
        done = await run_in_threadpool(publish, registry, actor, channel, _upload(form))
    finally:
        form.discard()
    return JSONResponse(upload_response(done))


def _upload(form: MultipartForm) -> Upload:
    if form.get(":action") != "file_upload":
        raise Refused("unknown-action", "':action' must be 'file_upload'")
    if form.get("protocol_version") not in ("", "1"):
        raise Refused("unknown-protocol", "'protocol_version' must be '1'")
    if form.path is None:
        raise Refused("no-file", "The form holds no file named 'content'")
    claims = FormClaims(
        name=form.get("name"),
        version=form.get("version"),
        filetype=form.get("filetype"),
        digests={name: form.get(key) for key, name in _DIGESTS.items() if form.get(key)},
    )
    return Upload(form.path, form.filename, claims, attestations=form.get("attestations"))


def upload_response(done: UploadResult) -> dict[str, object]:
    """What an upload is answered with: also the twin on the conda side, or why there is none."""
    return {
        "filename": done.file.filename,
        "sha256": done.file.sha256,
        "new": done.is_new,
        "conda": [twin.basename for twin in done.converted],
        "remark": done.conversion_note,
    }


async def redirect_to_slash(request: Request) -> Response:
    return RedirectResponse(f"{request.url.path}/", 308)


routes = [
    Route("/{channel}/legacy/", upload_distribution, methods=["POST"]),
    Route("/{channel}/legacy", redirect_to_slash, methods=["POST"]),
]
