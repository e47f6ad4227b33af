"""Forms of pages: their body, their token (CSRF), who sends them, and where they lead.

Every form has a token made of the session's secret, before a sign-in of a cookie of its own. It is
compared beside the rule of `web.origin`: two guards, each enough.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from twofold.errors import Refused
from twofold.server.model import Actor
from twofold.server.web.credentials import find_person, find_session
from twofold.server.web.pages.render import render
from twofold.server.web.request_body import stream_body
from twofold.server.web.session_cookie import (
    CSRF_FIELD,
    FORM_COOKIE,
    check_csrf_token,
    make_csrf_token,
    read_cookie,
    set_cookie,
)

#: The largest form without a file (bytes), and the most fields.
MAX_FORM_BYTES, MAX_FIELDS = 1 << 20, 500

#: Where people sign in.
SIGN_IN = "/-/sign-in"

#: A path on this server: no other host (`//host`, `/\\host`), no control characters.
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")


@dataclass(frozen=True)
class Form:
    """The fields that a form sent, in order; `file` is what it uploaded."""

    fields: list[tuple[str, str]] = field(default_factory=list)

    def get(self, name: str) -> str:
        """Return the first value of a field, '' where it is missing."""
        return next((value for key, value in self.fields if key == name), "")

    def get_all(self, name: str) -> list[str]:
        """Return every value of a field."""
        return [value for key, value in self.fields if key == name]

    def __contains__(self, name: str) -> bool:
        return any(key == name for key, _ in self.fields)


FormHandler = Callable[[Request, Form], Response]
Run = Callable[..., Awaitable[Response]]


def with_form(
    handler: FormHandler, run: Run = run_in_threadpool, stale: FormHandler | None = None
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint that reads a form, checks its token, and calls a handler in a thread.

    `stale` makes the page for a form of another session or an older one, in place of an error.
    """

    async def endpoint(request: Request) -> Response:
        form = await read_form(request)
        try:
            check_csrf_token(get_form_secret(request), form.get(CSRF_FIELD))
        except Refused:
            if stale is None:
                raise
            return await run_in_threadpool(stale, request, form)
        return await run(handler, request, form)

    return endpoint


async def read_form(request: Request) -> Form:
    """Read an urlencoded form. Raises Refused (400, 413, 415)."""
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/x-www-form-urlencoded":
        raise Refused("not-a-form", "Expected the fields of a form", status=415)
    error = Refused("too-large", f"The form is larger than {MAX_FORM_BYTES} bytes", status=413)
    body = b"".join([block async for block in stream_body(request, MAX_FORM_BYTES, error)])
    try:
        text = body.decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except ValueError:
        raise Refused("malformed-form", "The form cannot be read") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Refused("malformed-form", "The form has a NUL, which cannot be stored")
    return Form(pairs)


def get_form_secret(request: Request) -> str:
    """Return the secret that this browser's forms are made with, '' where it has none."""
    return read_cookie(request) or read_cookie(request, FORM_COOKIE)


def render_form(request: Request, template: str, *, status: int = 200, **values: Any) -> Response:
    """Render a page with forms: `csrf()` in its template is the token of one."""
    secret = get_form_secret(request)
    made = "" if secret else secrets.token_urlsafe(32)
    made_for = {"csrf": lambda: make_csrf_token(secret or made), **values}
    response = render(request, template, made_for, public=False, status=status)
    response.headers["cache-control"] = "no-store"
    if made:
        set_cookie(request, response, made, FORM_COOKIE)
    return response


def require_person(request: Request) -> Actor:
    """Return who is signed in and may act. Raises Refused (401, 403)."""
    actor = find_person(request)
    if actor is not None:
        return actor
    if find_session(request) is not None:
        hint = "set one up on the page /-/account/second-factor"
        raise Refused("second-factor", "Your account needs a second factor first", hint, 403)
    raise Refused("no-session", "Sign in first: the session has ended", "open /-/sign-in", 401)


def redirect_to_sign_in(request: Request) -> Response:
    """Lead somebody to the sign-in, and back to this page after it."""
    path = request.url.path.removeprefix(request.base_url.path.rstrip("/"))
    query = f"?{request.url.query}" if request.url.query else ""
    if find_session(request) is not None:
        return redirect(request, "/-/account/second-factor")
    return redirect(request, f"{SIGN_IN}?next={quote(path + query, safe='/')}")


def redirect(request: Request, path: str) -> Response:
    """Redirect to a path below the registry's address, by GET (303)."""
    target = request.base_url.path.rstrip("/") + path
    return RedirectResponse(target, 303, {"cache-control": "no-store"})


def make_safe_path(text: str, default: str = "/") -> str:
    """Return a path of this server to go on to; the default for any other address."""
    return text if len(text) <= 2000 and _OWN_PATH.fullmatch(text) else default


def describe_refusal(error: Refused) -> Mapping[str, str]:
    """Return the message and hint of a refusal, for a page."""
    first = error.problems[0]
    return {"message": first.message, "hint": first.hint or ""}
