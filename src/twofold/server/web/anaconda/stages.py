"""Uploads in three steps: a file is announced, its bytes are sent, and it is committed.

The bytes go to an address of their own, by a form without a login and with XML for errors, as to
an S3 bucket: the client reads `<Code>` and nothing else there.
"""

from __future__ import annotations

import base64
import binascii
from xml.sax.saxutils import escape

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused, TwofoldError
from twofold.server.admission.checks import FormClaims
from twofold.server.registry import staged_upload
from twofold.server.web.anaconda.owners import get_channel_name
from twofold.server.web.credentials import authenticate, get_registry
from twofold.server.web.error_responses import HEADER, make_reason_phrase
from twofold.server.web.json_body import JsonObject, with_json_body
from twofold.server.web.request_body import receive_form


def announce(request: Request, told: JsonObject) -> Response:
    wanted = staged_upload.StagedUpload(
        request.path_params["basename"],
        frozenset(told.texts("channels")),
        told.text("sha256"),
        told.text("description"),
        told.object("attrs"),
    )
    registry, actor = get_registry(request), authenticate(request)
    stage = staged_upload.begin(registry, actor, get_channel_name(request), wanted)
    url = f"{str(request.base_url).rstrip('/')}/api/staged/{stage}"
    return JSONResponse({"post_url": url, "form_data": {}, "dist_id": stage})


async def send(request: Request) -> Response:
    """The file's bytes: the address is the right to send them."""
    try:
        await _receive(request)
    except Refused as error:
        return _xml_error(error)
    return Response("<PostResponse/>", 201, media_type="application/xml")


async def _receive(request: Request) -> None:
    registry, largest = get_registry(request), request.app.state.settings.largest_file
    form = await receive_form(request, registry.spool, largest)
    try:
        if form.path is None:
            raise Refused("no-file", "The form holds no file")
        md5 = _md5_of(form.get("Content-MD5"))
        stage = request.path_params["stage"]
        await run_in_threadpool(staged_upload.store_bytes, registry, stage, form.path, md5)
    finally:
        form.discard()


def _md5_of(told: str) -> str:
    """Content-MD5 (base64, RFC 1864) as hex."""
    try:
        return base64.b64decode(told, validate=True).hex()
    except (binascii.Error, ValueError):
        raise Refused("digest-mismatch", "Content-MD5 is not base64") from None


#: Our codes -> those the client knows from S3.
_CODES = {"digest-mismatch": "InvalidDigest", "no-stage": "AccessDenied", "too-large": "TooLarge"}


def _xml_error(error: TwofoldError) -> Response:
    assert isinstance(error, Refused)
    message = error.problems[0].message
    code = _CODES.get(error.code, "InvalidRequest")
    body = f"<Error><Code>{code}</Code><Message>{escape(_plain(message))}</Message></Error>"
    response = Response(body, error.status, media_type="application/xml")
    response.raw_headers.append((HEADER, make_reason_phrase(message)))
    return response


def _plain(text: str) -> str:
    """Without the characters that XML cannot hold."""
    return "".join(c if c >= " " and c.isprintable() else "?" for c in text)


def commit(request: Request, told: JsonObject) -> Response:
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    claims = FormClaims(name=words["name"], version=words["version"])
    done = staged_upload.commit(registry, actor, told.text("dist_id"), claims)
    url = f"{str(request.base_url).rstrip('/')}/{get_channel_name(request)}"
    return JSONResponse(
        {
            "url": url,
            "basename": done.file.basename,
            "conda": [twin.basename for twin in done.converted],
            "remark": done.conversion_note,
        }
    )


_FILE = "{owner}/{name}/{version}/{basename:path}"

routes = [
    Route(f"/api/stage/{_FILE}", with_json_body(announce), methods=["POST"]),
    Route("/api/staged/{stage}", send, methods=["POST"]),
    Route(f"/api/commit/{_FILE}", with_json_body(commit), methods=["POST"]),
]
