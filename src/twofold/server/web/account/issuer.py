"""Signing in at the operator's issuer (OpenID Connect), and linking one's account with it.

The browser keeps one secret cookie while it is away; state, nonce and verifier are made of it and
of what the sign-in is for, so nothing of them can be changed or used by another browser.
"""

from __future__ import annotations

import secrets
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import identities, issuer_accounts
from twofold.server.auth.issuer_client import Flow, IssuerClient
from twofold.server.auth.sessions import ISSUER
from twofold.server.model import Actor
from twofold.server.settings import IssuerSettings
from twofold.server.web.account.forms import (
    SIGN_IN,
    Form,
    make_safe_path,
    redirect,
    render_form,
    require_person,
    with_form,
)
from twofold.server.web.account.sign_in import (
    SIGNED_OUT,
    begin_session,
    show_refused_sign_in,
)
from twofold.server.web.credentials import find_person, get_registry
from twofold.server.web.session_cookie import (
    ISSUER_COOKIE,
    delete_cookie,
    read_cookie,
    set_cookie,
)

#: Seconds for which a sign-in may be under way.
FLOW_LIFETIME = 900

#: What a flow is for.
SIGNING_IN, LINKING = "in", "link"

#: The longest path to go on to that is kept (characters).
_MAX_TARGET = 1000


def _get_client(request: Request) -> tuple[IssuerClient, IssuerSettings]:
    settings: IssuerSettings | None = request.app.state.settings.issuer
    if settings is None:
        raise Refused("not-found", "This registry has no issuer to sign in at", status=404)
    client: IssuerClient = request.app.state.issuer_client
    return client, settings


def start(request: Request) -> Response:
    """Send the browser to the issuer, to sign in."""
    target = make_safe_path(request.query_params.get("next", ""))
    try:
        value, url = _begin_flow(request, SIGNING_IN, target)
    except Refused as error:
        return show_refused_sign_in(request, target, error)
    response = RedirectResponse(url, 303, {"cache-control": "no-store"})
    set_cookie(request, response, value, ISSUER_COOKIE, FLOW_LIFETIME)
    return response


def _start_linking(request: Request, _form: Form) -> Response:
    """Send the browser to the issuer, to link the account that is signed in."""
    _require_unlimited(require_person(request))
    value, url = _begin_flow(request, LINKING, "/-/account")
    _, settings = _get_client(request)
    # The pages' content policy lets no form lead to another host, so this page does.
    response = render_form(request, "account/leave.html", address=url, issuer=settings.name)
    set_cookie(request, response, value, ISSUER_COOKIE, FLOW_LIFETIME)
    return response


def _begin_flow(request: Request, purpose: str, target: str) -> tuple[str, str]:
    """Return the cookie of a new flow, and the issuer's page. Raises Refused (404, 503)."""
    client, _ = _get_client(request)
    kept = target if len(target) <= _MAX_TARGET else "/"
    value = f"{secrets.token_urlsafe(32)}.{purpose}.{quote(kept, safe='')}"
    return value, client.make_url(Flow(value), _make_redirect_uri(request))


def show_signed_out(request: Request) -> Response:
    """Offer the issuer's own sign-out after the session here has ended."""
    client, settings = _get_client(request)
    address = client.make_sign_out_url(f"{str(request.base_url).rstrip('/')}/")
    if not address:
        return redirect(request, "/")
    return render_form(request, "account/signed_out.html", address=address, issuer=settings.name)


def _make_redirect_uri(request: Request) -> str:
    return f"{str(request.base_url).rstrip('/')}{SIGN_IN}/callback"


def finish(request: Request) -> Response:
    """Take the answer of the issuer: begin a session, or link the account."""
    cookie = read_cookie(request, ISSUER_COOKIE)
    _, _, rest = cookie.partition(".")
    purpose, _, quoted = rest.partition(".")
    target = make_safe_path(unquote(quoted))
    try:
        response = _finish(request, Flow(cookie), purpose, target)
    except Refused as error:
        response = show_refused_sign_in(request, target, error)
    delete_cookie(request, response, ISSUER_COOKIE)
    return response


def _finish(request: Request, flow: Flow, purpose: str, target: str) -> Response:
    client, settings = _get_client(request)
    query = request.query_params
    if not flow.secret or not flow.is_answered_by(query.get("state", "")):
        text = "This answer belongs to no sign-in of this browser"
        raise Refused("stale-form", text, "sign in again", 403)
    if error := query.get("error", ""):
        if error == "access_denied":
            raise Refused("forbidden", "The sign-in was refused or cancelled", "", 403)
        text = f"The issuer reports: {''.join(filter(str.isprintable, error))[:100]}"
        raise Refused("invalid-identity", text, "sign in again", 401)
    code = query.get("code", "")
    if not code or len(code) > 4000:
        raise Refused("invalid-identity", "The issuer sent no code", "sign in again", 401)
    claims = client.redeem(flow, code, _make_redirect_uri(request))
    registry = get_registry(request)
    if purpose == LINKING:
        actor = find_person(request)
        if actor is None or actor.user is None:
            raise Refused("no-session", "The session ended meanwhile", "sign in again", 401)
        _require_unlimited(actor)
        identities.link(registry, actor.name, actor.user, settings.url, claims["sub"])
        return redirect(request, "/-/account?done=link-identity")
    user = issuer_accounts.sign_in(registry, settings, claims)
    return begin_session(request, Actor(user), ISSUER, target)


def _require_unlimited(actor: Actor) -> None:
    if actor.token is not None and not actor.token.is_whole:
        text = "A session begun with a limited token links no identity"
        raise Refused("forbidden", text, "sign in with the password", 403)


routes = [
    Route(f"{SIGN_IN}/issuer", start, methods=["GET"]),
    Route(f"{SIGN_IN}/issuer/link", with_form(_start_linking), methods=["POST"]),
    Route(f"{SIGN_IN}/callback", finish, methods=["GET"]),
    Route(SIGNED_OUT, show_signed_out, methods=["GET"]),
]
