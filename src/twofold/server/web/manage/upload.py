"""Uploading a file of either world from a browser, streamed to the spool as any upload is."""

from __future__ import annotations

from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.model import Action, Actor
from twofold.server.registry import queries
from twofold.server.registry.publish import Upload, UploadResult, publish
from twofold.server.web.account.forms import (
    describe_refusal,
    get_form_secret,
    redirect_to_sign_in,
    render_form,
    require_person,
)
from twofold.server.web.credentials import find_person, get_registry
from twofold.server.web.request_body import receive_form
from twofold.server.web.session_cookie import CSRF_FIELD, check_csrf_token

#: The field with the file.
FILE_FIELD = "content"


def show_upload(request: Request) -> Response:
    """Show the form of an upload to a channel."""
    actor = find_person(request)
    if actor is None:
        return redirect_to_sign_in(request)
    _require_uploader(request, actor)
    return _show(request)


def _require_uploader(request: Request, actor: Actor) -> None:
    """Check that some project of the channel may be uploaded. Raises Refused (403, 404)."""
    projects = actor.token.projects if actor.token is not None else []
    channel, project = request.path_params["channel"], projects[0] if projects else None
    queries.get_channel(get_registry(request), actor, channel, Action.UPLOAD, project)


def _show(
    request: Request, error: Refused | None = None, done: UploadResult | None = None
) -> Response:
    channel = request.path_params["channel"]
    return render_form(
        request,
        "manage/upload.html",
        status=error.status if error is not None else 200,
        channel=channel,
        path=f"/-/manage/channels/{quote(channel)}",
        error=describe_refusal(error) if error is not None else None,
        done=done,
    )


async def upload(request: Request) -> Response:
    """Receive one file. Who may not upload here is refused before the file is read."""
    actor = await run_in_threadpool(_identify_uploader, request)
    form = await receive_form(request, request.app.state.spool)
    try:
        check_csrf_token(get_form_secret(request), form.get(CSRF_FIELD))
        if form.path is None or not form.filename:
            error = Refused("no-file", "Choose a file first")
            return await run_in_threadpool(_show, request, error)
        given = Upload(form.path, form.filename)
        return await run_in_threadpool(_publish, request, actor, given)
    finally:
        form.discard()


def _identify_uploader(request: Request) -> Actor:
    actor = require_person(request)
    _require_uploader(request, actor)
    return actor


def _publish(request: Request, actor: Actor, given: Upload) -> Response:
    try:
        done = publish(get_registry(request), actor, request.path_params["channel"], given)
    except Refused as error:
        return _show(request, error)
    return _show(request, done=done)


PATH = "/-/manage/channels/{channel}/upload"

routes = [
    Route(PATH, show_upload, methods=["GET"]),
    Route(PATH, upload, methods=["POST"]),
]
