"""The page of one's second factor: setting it up, new recovery codes, removing it."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import second_factor
from twofold.server.auth.login_throttle import LoginThrottle
from twofold.server.model import Actor, User
from twofold.server.web.account.forms import (
    Form,
    describe_refusal,
    redirect_to_sign_in,
    render_form,
    with_form,
)
from twofold.server.web.account.sign_in import begin_session
from twofold.server.web.credentials import find_session, get_registry

PATH = "/-/account/second-factor"


def show_second_factor(request: Request) -> Response:
    """Show how to set up an authenticator, or what is set up."""
    actor = find_session(request)
    if actor is None or actor.user is None:
        return redirect_to_sign_in(request)
    return _show(request, actor.user)


def _show(request: Request, user: User, error: Refused | None = None, **values: Any) -> Response:
    registry = get_registry(request)
    is_enrolled = second_factor.has_factor(registry, user)
    site = request.app.state.settings.site_name
    issuer = f"{site} ({request.url.hostname})"
    enrolment = None if is_enrolled else second_factor.begin(registry, user, issuer)
    policy = request.app.state.settings.second_factor
    return render_form(
        request,
        "account/second_factor.html",
        status=error.status if error is not None else 200,
        enrolment=enrolment,
        left=second_factor.count_recovery_codes(registry, user),
        is_required=second_factor.is_required(registry, user, policy),
        error=describe_refusal(error) if error is not None else None,
        codes=values.get("codes", []),
    )


def _require_own_session(request: Request) -> tuple[Actor, User]:
    """Return who is signed in, also who has yet to set up a second factor. Raises Refused."""
    actor = find_session(request)
    if actor is None or actor.user is None:
        raise Refused("no-session", "Sign in first: the session has ended", status=401)
    if actor.token is not None and not actor.token.is_whole:
        text = "A session begun with a limited token sets up no second factor"
        raise Refused("forbidden", text, "sign in with the password", 403)
    return actor, actor.user


def _confirm(request: Request, form: Form) -> Response:
    actor, user = _require_own_session(request)
    kept = actor.session.id if actor.session is not None else None
    throttle: LoginThrottle = request.app.state.throttle
    try:
        with throttle.attempt_code(user.name):
            codes = second_factor.confirm(get_registry(request), user, form.get("code")[:100], kept)
    except Refused as error:
        return _show(request, user, error)
    return _show(request, user, codes=codes)


def _renew_codes(request: Request, form: Form) -> Response:
    _, user = _require_own_session(request)
    throttle: LoginThrottle = request.app.state.throttle
    try:
        with throttle.attempt_code(user.name):
            codes = second_factor.renew_recovery_codes(
                get_registry(request), user, form.get("code")[:100]
            )
    except Refused as error:
        return _show(request, user, error)
    return _show(request, user, codes=codes)


def _remove(request: Request, form: Form) -> Response:
    """Remove the second factor, which takes one of its codes; the session begins again."""
    _, user = _require_own_session(request)
    registry = get_registry(request)
    throttle: LoginThrottle = request.app.state.throttle
    try:
        with throttle.attempt_code(user.name):
            second_factor.check(registry, user, form.get("code")[:100])
    except Refused as error:
        return _show(request, user, error)
    second_factor.reset(registry, user.name, user)
    return begin_session(request, Actor(user), "password and code", PATH)


routes = [
    Route(PATH, show_second_factor, methods=["GET"]),
    Route(PATH, with_form(_confirm), methods=["POST"]),
    Route(f"{PATH}/codes", with_form(_renew_codes), methods=["POST"]),
    Route(f"{PATH}/remove", with_form(_remove), methods=["POST"]),
]
