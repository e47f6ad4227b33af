"""Signing in with a password (and a code), and signing out.

A user without a password signs in with a token in its place; the session then has the limits of
that token. Each sign-in begins a new session and ends the browser's earlier one.
"""

from __future__ import annotations

from contextlib import nullcontext
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts, second_factor, sessions, tokens
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.auth.sessions import HALF, ISSUER, SignIn
from twofold.server.model import Actor
from twofold.server.settings import Settings
from twofold.server.web.account.forms import (
    SIGN_IN,
    Form,
    describe_refusal,
    make_safe_path,
    redirect,
    render_form,
    with_form,
)
from twofold.server.web.credentials import (
    find_session,
    get_registry,
    log_failed_login,
    run_password_check,
)
from twofold.server.web.session_cookie import (
    FORM_COOKIE,
    delete_cookie,
    read_cookie,
    set_cookie,
)

#: The page after the sign-out from a session that began at the issuer.
SIGNED_OUT = "/-/sign-out/issuer"


def show_sign_in(request: Request) -> Response:
    """Show the form for name and password, or go on where somebody is signed in."""
    target = make_safe_path(request.query_params.get("next", ""))
    if find_session(request) is not None:
        return redirect(request, target)
    return _show(request, target)


def _show(request: Request, target: str, user: str = "", error: Refused | None = None) -> Response:
    issuer = _get_settings(request).issuer
    return render_form(
        request,
        "account/sign_in.html",
        issuer=issuer.name if issuer is not None else "",
        status=error.status if error is not None else 200,
        next=target,
        user=user[:100],
        error=describe_refusal(error) if error is not None else None,
    )


def show_refused_sign_in(request: Request, target: str, error: Refused) -> Response:
    """Show the form again, with why another way to sign in failed."""
    return _show(request, target, error=error)


def _sign_in(request: Request, form: Form) -> Response:
    user, target = form.get("user").strip(), make_safe_path(form.get("next"))
    try:
        actor = _check_password(request, user, form.get("password"))
    except Refused as error:
        log_failed_login(request, user, error)
        return _show(request, target, user, error)
    assert actor.user is not None
    if actor.token is None and second_factor.has_factor(get_registry(request), actor.user):
        response = redirect(request, f"{SIGN_IN}/code?next={quote(target)}")
        return _begin(request, response, actor, HALF)
    return begin_session(request, actor, "token" if actor.token else "password", target)


def _check_password(request: Request, user: str, password: str) -> Actor:
    """Return who this is. Raises Refused (401, 403, 429)."""
    throttle: LoginThrottle = request.app.state.throttle
    registry = get_registry(request)
    address = request.client.host if request.client else ""
    guess = not tokens.is_well_formed(password)
    with throttle.attempt(address, user) if guess else nullcontext():
        actor = accounts.check_password(registry, user, password)
    if actor.token is None or actor.user is None:
        return actor
    if "publisher" in actor.token.application:
        raise Refused("forbidden", "The token of a trusted publisher signs nobody in", status=403)
    if second_factor.has_factor(registry, actor.user):
        hint = "sign in with the password and a code"
        raise Refused("second-factor", "This user signs in with a second factor", hint, 403)
    return actor


def begin_session(request: Request, actor: Actor, method: str, target: str) -> Response:
    """Begin a session for somebody who has shown who they are, and go on to a page."""
    return _begin(request, redirect(request, target), actor, method)


def _begin(request: Request, response: Response, actor: Actor, method: str) -> Response:
    assert actor.user is not None
    registry, settings = get_registry(request), _get_settings(request)
    new = SignIn(
        actor.user,
        method,
        actor.token,
        request.headers.get("user-agent", ""),
        request.client.host if request.client else "",
    )
    secret = sessions.begin(registry, new, settings.session_limits)
    if before := read_cookie(request):
        sessions.end(registry, before)
    lifetime = int(settings.session_limits.lifetime.total_seconds())
    set_cookie(request, response, secret, max_age=lifetime)
    delete_cookie(request, response, FORM_COOKIE)
    return response


def _get_settings(request: Request) -> Settings:
    found: Settings = request.app.state.settings
    return found


def show_code(request: Request) -> Response:
    """Show the form for the code of the second factor."""
    target = make_safe_path(request.query_params.get("next", ""))
    if sessions.find_half(get_registry(request), read_cookie(request)) is None:
        return redirect(request, SIGN_IN)
    return render_form(request, "account/code.html", next=target, error=None)


def _enter_code(request: Request, form: Form) -> Response:
    registry, target = get_registry(request), make_safe_path(form.get("next"))
    found = sessions.find_half(registry, read_cookie(request))
    if found is None:
        error = Refused("too-late", "The code was entered too late", "sign in again", 401)
        return _show(request, target, error=error)
    user, _ = found
    throttle: LoginThrottle = request.app.state.throttle
    try:
        with throttle.attempt_code(user.name):
            second_factor.check(registry, user, form.get("code")[:100])
    except Refused as error:
        log_failed_login(request, user.name, error)
        return render_form(
            request,
            "account/code.html",
            status=error.status,
            next=target,
            error=describe_refusal(error),
        )
    return begin_session(request, Actor(user), "password and code", target)


def _sign_out(request: Request, _form: Form) -> Response:
    actor, settings = find_session(request), _get_settings(request)
    session = actor.session if actor is not None else None
    is_issuers = session is not None and session.method == ISSUER
    sessions.end(get_registry(request), read_cookie(request))
    response = redirect(request, SIGNED_OUT if is_issuers and settings.issuer else "/")
    delete_cookie(request, response)
    return response


routes = [
    Route(SIGN_IN, show_sign_in, methods=["GET"]),
    Route(SIGN_IN, with_form(_sign_in, run_password_check), methods=["POST"]),
    Route(f"{SIGN_IN}/code", show_code, methods=["GET"]),
    Route(f"{SIGN_IN}/code", with_form(_enter_code), methods=["POST"]),
    Route("/-/sign-out", with_form(_sign_out), methods=["POST"]),
]
