"""Taking an invitation: with the account that is signed in, or with a new one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import invitations
from twofold.server.model import Actor
from twofold.server.web.account.forms import (
    Form,
    describe_refusal,
    redirect,
    render_form,
    require_person,
    with_form,
)
from twofold.server.web.account.sign_in import begin_session
from twofold.server.web.credentials import find_person, get_registry, run_password_check
from twofold.server.web.management.parameters import NEW_NAME, PASSWORD, check_value

PATH = "/-/invitation"


def show_invitation(request: Request) -> Response:
    """Show what an invitation is to."""
    return _show(request, request.query_params.get("code", "")[:100])


def _show(request: Request, code: str, name: str = "", error: Refused | None = None) -> Response:
    found, target = invitations.describe(get_registry(request), code)
    return render_form(
        request,
        "account/invitation.html",
        status=error.status if error is not None else 200,
        code=code,
        role=found.role,
        target=target,
        by=found.invited_by,
        name=name[:100],
        person=find_person(request),
        error=describe_refusal(error) if error is not None else None,
    )


def _accept(request: Request, form: Form) -> Response:
    actor, code = require_person(request), form.get("code")[:100]
    if actor.user is None or (actor.token is not None and not actor.token.is_whole):
        raise Refused("forbidden", "A session with limits takes no invitation", status=403)
    invitations.accept(get_registry(request), actor.user, code)
    return redirect(request, "/-/manage")


def _accept_as_new(request: Request, form: Form) -> Response:
    """Make an account for the invitation, and sign it in."""
    code, name, password = form.get("code")[:100], form.get("name").strip(), form.get("password")
    try:
        check_value(name, NEW_NAME, "The name")
        check_value(password, PASSWORD, "The password")
        user = invitations.accept_as_new(get_registry(request), code, name, password)
    except Refused as error:
        if error.status == 404:
            raise
        return _show(request, code, name, error)
    return begin_session(request, Actor(user), "password", "/-/account")


routes = [
    Route(PATH, show_invitation, methods=["GET"]),
    Route(PATH, with_form(_accept), methods=["POST"]),
    Route(f"{PATH}/new", with_form(_accept_as_new, run_password_check), methods=["POST"]),
]
