"""Staged uploads in three steps: begin, send the bytes, commit.

The bytes are sent to a URL of their own, as a form without a login and with errors in XML, as to
an S3 bucket: the client only reads `<Code>` there.
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
from twofold.server.web.error_responses import REASON_HEADER, make_reason_phrase
from twofold.server.web.json_body import JsonObject, with_json_body
from twofold.server.web.request_body import receive_form


def begin_upload(request: Request, body: JsonObject) -> Response:
    """Begin a staged upload; returns the URL for the bytes."""
    planned = staged_upload.StagedUpload(
        request.path_params["basename"],
        frozenset(body.texts("channels")),
        body.text("sha256"),
        body.text("description"),
        body.object("attrs"),
    )
    registry, actor = get_registry(request), authenticate(request)
    stage = staged_upload.begin(registry, actor, get_channel_name(request), planned)
    url = f"{str(request.base_url).rstrip('/')}/api/staged/{stage}"
    return JSONResponse({"post_url": url, "form_data": {}, "dist_id": stage})


async def receive_bytes(request: Request) -> Response:
    """Receive the file's bytes: knowing the URL is the permission to send them."""
    try:
        await _receive_into_stage(request)
    except Refused as error:
        return _xml_error(error)
    return Response("<PostResponse/>", 201, media_type="application/xml")


async def _receive_into_stage(request: Request) -> None:
    registry, stage = get_registry(request), request.path_params["stage"]
    await run_in_threadpool(staged_upload.require_stage, registry, stage)
    form = await receive_form(request, request.app.state.spool)
    try:
        if form.path is None:
            raise Refused("no-file", "The form contains no file")
        md5 = _decode_md5(form.get("Content-MD5"))
        await run_in_threadpool(staged_upload.store_bytes, registry, stage, form.path, md5)
    finally:
        form.discard()


def _decode_md5(header: str) -> str:
    """Decode Content-MD5 (base64, RFC 1864) to hex."""
    try:
        return base64.b64decode(header, validate=True).hex()
    except (binascii.Error, ValueError):
        raise Refused("digest-mismatch", "Content-MD5 is not base64") from None


#: Error code -> S3's code, which the client knows.
_S3_CODES = {
    "digest-mismatch": "InvalidDigest",
    "no-stage": "AccessDenied",
    "too-large": "TooLargeError",
}


def _xml_error(error: TwofoldError) -> Response:
    assert isinstance(error, Refused)
    message = error.problems[0].message
    code = _S3_CODES.get(error.code, "InvalidRequest")
    text = escape(_replace_control_characters(message))
    body = f"<Error><Code>{code}</Code><Message>{text}</Message></Error>"
    response = Response(body, error.status, media_type="application/xml")
    response.raw_headers.append((REASON_HEADER, make_reason_phrase(message)))
    return response


def _replace_control_characters(text: str) -> str:
    """Replace the characters that XML cannot contain."""
    return "".join(c if c >= " " and c.isprintable() else "?" for c in text)


def commit_upload(request: Request, body: JsonObject) -> Response:
    """Publish the received file."""
    registry, actor, words = get_registry(request), authenticate(request), request.path_params
    claims = FormClaims(name=words["name"], version=words["version"])
    done = staged_upload.commit(registry, actor, body.text("dist_id"), claims)
    url = f"{str(request.base_url).rstrip('/')}/{get_channel_name(request)}"
    return JSONResponse(
        {
            "url": url,
            "basename": done.file.basename,
            "conda": [package.basename for package in done.converted],
            "remark": done.conversion_note,
        }
    )


_FILE = "{owner}/{name}/{version}/{basename:path}"

routes = [
    Route(f"/api/stage/{_FILE}", with_json_body(begin_upload), methods=["POST"]),
    Route("/api/staged/{stage}", receive_bytes, methods=["POST"]),
    Route(f"/api/commit/{_FILE}", with_json_body(commit_upload), methods=["POST"]),
]
