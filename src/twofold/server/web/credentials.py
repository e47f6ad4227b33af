"""Credentials of a request, read from every place where clients put them.

`Authorization: Basic` (pip, twine, uv: user `__token__`; conda: user and password), `Bearer` and
`token` (rattler, anaconda-client), `X-API-Key` (quetz), and conda's `/t/TOKEN/` in the address,
which `StripToken` takes out before anything sees or logs the path.

A browser's session counts for reading alone: its cookie goes with the requests of any page, so what
changes something takes a form's token as well (`web.account.forms`). No protocol of programs does.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from twofold.errors import Refused, TwofoldError
from twofold.server.auth import accounts, second_factor, sessions
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.auth.permissions import (
    SECOND_FACTOR_HINT,
    SECOND_FACTOR_TEXT,
    is_password,
)
from twofold.server.auth.tokens import MAX_HASHINGS, PREFIX
from twofold.server.context import Registry
from twofold.server.model import ANONYMOUS, Actor, View
from twofold.server.web.error_responses import problem_response, refused
from twofold.server.web.origin import SAFE_METHODS, is_from_another_site
from twofold.server.web.session_cookie import read_cookie

log = logging.getLogger("twofold.server")

Checked = TypeVar("Checked")

#: conda's token at the beginning of a path.
TOKEN_IN_PATH = re.compile(r"/t/([a-zA-Z0-9-]+)(/.*)")

#: Longer than any path the server itself generates (characters).
MAX_PATH_LENGTH = 2000


#: Key of a request's scope: the actor whose password was right, or the error.
LOGIN = "twofold.login"

#: Key of a request's scope: whose session the browser has, or None.
PERSON = "twofold.person"

_password_threads = ThreadPoolExecutor(MAX_HASHINGS, thread_name_prefix="password")


class StripToken:
    """Middleware: moves conda's `/t/TOKEN` from the path into the request's scope.

    Refuses a path with control characters or invalid UTF-8, which databases and logs
    cannot handle, and changes that a page of another site asks for.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request: check its path, take the token out of it."""
        if scope["type"] == "http" and not is_plain_path(scope["path"]):
            answer = problem_response(
                "malformed-address", "The URL contains invalid characters or is too long"
            )
            await answer(scope, receive, send)
            return
        if (
            scope["type"] == "http"
            and scope["method"] not in SAFE_METHODS
            and is_from_another_site(scope)
        ):
            error = Refused(
                "cross-site",
                "A page of another site made this request",
                "use a command line client, or a page of the registry itself",
                403,
            )
            answer = await refused(Request(scope), error)
            await answer(scope, receive, send)
            return
        if scope["type"] == "http" and scope["path"].startswith("/t/"):
            found = TOKEN_IN_PATH.fullmatch(scope["path"])
            if found:
                raw = scope.get("raw_path", b"")
                scope = {
                    **scope,
                    "path": found[2],
                    "raw_path": raw[len(f"/t/{found[1]}") :],
                    "twofold.token": found[1],
                }
        if scope["type"] == "http" and has_password(scope):
            scope[LOGIN] = await _check_password(Request(scope))
        await self.app(scope, receive, send)


def has_password(scope: Scope) -> bool:
    """Whether a request brings a user's name and password, and not a token."""
    for name, value in scope["headers"]:
        if name == b"authorization" and value[:6].lower() == b"basic ":
            return True
    return False


async def _check_password(request: Request) -> Actor | TwofoldError | None:
    """Check the password of a request in one of a few threads of its own.

    A hashing takes 64 MiB and a processor: in the threads of all requests, a few dozen wrong
    passwords would hold up everybody else. Returns None when there is no password to check, and
    the error that `authenticate` is to raise.
    """
    try:
        secret, user = credentials_from(request)
        if not is_password(secret, user):
            return None
        return await run_password_check(_identify, request, secret, user)
    except TwofoldError as error:
        return error


async def run_password_check(check: Callable[..., Checked], *arguments: Any) -> Checked:
    """Run what checks a password in one of the few threads for it."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_password_threads, partial(check, *arguments))


def log_failed_login(request: Request, user: str | None, error: Refused) -> None:
    """Log a wrong credential in one line of a fixed order, which fail2ban reads (deploy/)."""
    request.app.state.metrics.failed_logins += 1
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    client = request.client.host if request.client else None
    entry = {"at": at, "failed": "login", "client": client, "reason": error.code}
    log.warning(json.dumps({**entry, "user": (user or "")[:100]}))


def _identify(request: Request, secret: str | None, user: str | None) -> Actor:
    try:
        with rate_limited(request, secret, user):
            actor = accounts.identify(get_registry(request), secret, user)
        if actor.token is not None:
            used_before = actor.token.used_at is not None
            get_registry(request).note_token_use(actor.token.id, used_before)
        if is_password(secret, user) and _lacks_second_factor(request, actor):
            raise Refused("second-factor", SECOND_FACTOR_TEXT, SECOND_FACTOR_HINT, 401)
        return actor
    except Refused as error:
        log_failed_login(request, user, error)
        raise


def is_plain_path(path: str) -> bool:
    """Return whether a path is printable, short enough and valid UTF-8."""
    return len(path) <= MAX_PATH_LENGTH and path.isprintable() and "\ufffd" not in path


def get_registry(request: Request) -> Registry:
    """Return the application's registry."""
    found: Registry = request.app.state.registry
    return found


def credentials_from(request: Request) -> tuple[str | None, str | None]:
    """Return (secret, user) of the request; (None, None) without credentials."""
    return parse_credentials(
        request.scope.get("twofold.token", ""),
        request.headers.get("x-api-key", ""),
        request.headers.get("authorization", ""),
    )


def parse_credentials(
    path_token: str, api_key: str, authorization: str
) -> tuple[str | None, str | None]:
    """Return (secret, user) from the places of a request, '' where there is nothing."""
    if path_token:
        return path_token, None
    if api_key:
        return api_key, None
    scheme, _, value = authorization.partition(" ")
    value = value.strip()
    if scheme.lower() in ("bearer", "token"):
        return value, None
    if scheme.lower() == "basic":
        return _parse_basic(value)
    return None, None


def _parse_basic(value: str) -> tuple[str | None, str | None]:
    try:
        decoded = base64.b64decode(value, validate=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        decoded = "\0"
    if "\0" in decoded:  # no database stores a NUL in text
        raise Refused("invalid-credentials", "The Basic credentials are malformed")
    user, _, secret = decoded.partition(":")
    if secret:
        return secret, user
    return (user, None) if user.startswith(PREFIX) else (None, user)


def target_view(request: Request) -> View:
    """Return the channel and label in the path (default `main`), with the caller."""
    words = request.path_params
    return View(authenticate(request), words["channel"], words.get("label", "main"))


def routes_with_label(path: str, endpoint: Callable[[Request], Response]) -> list[Route]:
    """Return the two routes of a view: for the label `main`, and for any label."""
    return [
        Route(f"/{{channel}}{path}", endpoint),
        Route(f"/{{channel}}/label/{{label}}{path}", endpoint),
    ]


def authenticate(request: Request) -> Actor:
    """Return the caller. Raises Refused when the credentials are invalid."""
    login: Actor | TwofoldError | None = request.scope.get(LOGIN)
    if isinstance(login, TwofoldError):
        raise login
    if login is not None:
        return login
    secret, user = credentials_from(request)
    if secret is None and request.method in SAFE_METHODS:
        return find_person(request) or ANONYMOUS
    return _identify(request, secret, user)


def find_person(request: Request) -> Actor | None:
    """Return who has signed in with this browser, and may act; None where nobody has.

    Who must have a second factor and has none may set one up, and nothing else.
    """
    actor = find_session(request)
    if actor is None or actor.user is None or _lacks_second_factor(request, actor):
        return None
    return actor


def find_session(request: Request) -> Actor | None:
    """Return whose session this is, also of who has to set up a second factor first."""
    if PERSON not in request.scope:
        secret = read_cookie(request)
        limits = request.app.state.settings.session_limits
        found = sessions.find(get_registry(request), secret, limits) if secret else None
        request.scope[PERSON] = found
    found_before: Actor | None = request.scope[PERSON]
    return found_before


def _lacks_second_factor(request: Request, actor: Actor) -> bool:
    """Whether a user must have a second factor and has none; an issuer asks for its own."""
    policy = request.app.state.settings.second_factor
    if actor.session is not None and actor.session.method == sessions.ISSUER:
        return False
    return actor.user is not None and second_factor.is_required(
        get_registry(request), actor.user, policy
    )


def rate_limited(
    request: Request, secret: str | None, user: str | None
) -> AbstractContextManager[None]:
    """Context for a password check: rate-limits failed logins (429)."""
    if not is_password(secret, user):
        return nullcontext()
    assert user is not None
    throttle: LoginThrottle = request.app.state.throttle
    return throttle.attempt(request.client.host if request.client else "", user)
