"""Who asks: the credential of a request, in every place clients put it.

`Authorization: Basic` (pip, twine, uv: user `__token__`; conda: user and password), `Bearer` and
`token` (rattler, anaconda-client), `X-API-Key` (quetz), and conda's `/t/TOKEN/` in the address,
which `StripToken` takes out before anything sees or logs the path.
"""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import AbstractContextManager, nullcontext

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.auth.tokens import PREFIX
from twofold.server.context import Registry
from twofold.server.model import Actor, View
from twofold.server.web.error_responses import problem_response

_IN_PATH = re.compile(r"/t/([a-zA-Z0-9-]+)(/.*)")


#: No address of ours is longer (characters).
MAX_PATH_LENGTH = 2000


class StripToken:
    """Takes conda's token out of the address and keeps it beside the request.

    An address with control characters or bytes that are not UTF-8 is refused here: databases
    and logs would stumble over it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not is_plain_path(scope["path"]):
            answer = problem_response("malformed-address", "The address cannot be read")
            await answer(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].startswith("/t/"):
            found = _IN_PATH.fullmatch(scope["path"])
            if found:
                raw = scope.get("raw_path", b"")
                scope = {
                    **scope,
                    "path": found[2],
                    "raw_path": raw[len(f"/t/{found[1]}") :],
                    "twofold.token": found[1],
                }
        await self.app(scope, receive, send)


def is_plain_path(path: str) -> bool:
    """Printable, of sane length, and without what broken UTF-8 decodes to."""
    return len(path) <= MAX_PATH_LENGTH and path.isprintable() and "\ufffd" not in path


def get_registry(request: Request) -> Registry:
    found: Registry = request.app.state.registry
    return found


def credentials_from(request: Request) -> tuple[str | None, str | None]:
    """(secret, user) as the request has them; (None, None) without a credential."""
    if token := request.scope.get("twofold.token"):
        return str(token), None
    if key := request.headers.get("x-api-key"):
        return key, None
    scheme, _, value = request.headers.get("authorization", "").partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "token"):
        return value, None
    if scheme.lower() == "basic":
        return _basic(value)
    return None, None


def _basic(value: str) -> tuple[str | None, str | None]:
    try:
        told = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        told = "\0"
    if "\0" in told:  # no database keeps one in a text
        raise Refused("invalid-credentials", "The Basic credentials cannot be read")
    user, _, secret = told.partition(":")
    if secret:
        return secret, user
    return (user, None) if user.startswith(PREFIX) else (None, user)


def target_view(request: Request) -> View:
    """The channel and the label that an address names (`main` without one), and who asks."""
    words = request.path_params
    return View(authenticate(request), words["channel"], words.get("label", "main"))


def authenticate(request: Request) -> Actor:
    """Raises Refused when the credential is wrong."""
    secret, user = credentials_from(request)
    with rate_limited(request, secret, user):
        return accounts.identify(get_registry(request), secret, user)


def rate_limited(
    request: Request, secret: str | None, user: str | None
) -> AbstractContextManager[None]:
    """Around the check of a credential: who guesses at passwords is stopped (429)."""
    if not secret or not user or user == "__token__" or secret.startswith(PREFIX):
        return nullcontext()
    throttle: LoginThrottle = request.app.state.throttle
    return throttle.attempt(request.client.host if request.client else "", user)
