"""How users sign in: sessions, second factors, identities at issuers; and invitations."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused
from twofold.server.auth import accounts, identities, invitations, second_factor, sessions
from twofold.server.auth.invitations import Invitation, InvitationTarget
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.model import Action, Session
from twofold.server.web.management import parameters
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import number, text
from twofold.server.web.management.response_schemas import (
    COUNT,
    FLAG,
    TEXT,
    TIME,
    object_schema,
)

SCHEMAS: dict[str, dict[str, Any]] = {
    "Session": object_schema(
        id=COUNT,
        method=TEXT,
        browser=TEXT,
        address=TEXT,
        began_at=TIME,
        used_at=TIME,
        expires_at=TIME,
    ),
    "SignIn": object_schema(
        second_factor=FLAG,
        recovery_codes=COUNT,
        identities={
            "type": "array",
            "items": object_schema(issuer=TEXT, subject=TEXT),
        },
    ),
    "Invitation": object_schema(
        id=COUNT, role=TEXT, invited_by=TEXT, created_at=TIME, expires_at=TIME
    ),
    "NewInvitation": object_schema(
        code=TEXT, path=TEXT, invitation={"$ref": "#/components/schemas/Invitation"}
    ),
    "AcceptedInvitation": object_schema(to=TEXT),
}


def _serialize_session(found: Session) -> dict[str, Any]:
    return {
        "id": found.id,
        "method": found.method,
        "browser": found.agent,
        "address": found.address,
        "began_at": found.created_at.isoformat(),
        "used_at": found.used_at.isoformat(),
        "expires_at": found.expires_at.isoformat(),
    }


def _serialize_invitation(found: Invitation) -> dict[str, Any]:
    return {
        "id": found.id,
        "role": found.role,
        "invited_by": found.invited_by,
        "created_at": found.created_at.isoformat(),
        "expires_at": found.expires_at.isoformat(),
    }


def _list_sessions(context: RequestContext) -> Any:
    user = accounts.get_user(context.registry, context["user"])
    return [_serialize_session(one) for one in sessions.list_sessions(context.registry, user)]


def _end_session(context: RequestContext) -> None:
    user = accounts.get_user(context.registry, context["user"])
    sessions.end_session(context.registry, context.actor.name, user, context["id"])


def _end_sessions(context: RequestContext) -> None:
    """End every session but the one that the request comes from."""
    user, own = accounts.get_user(context.registry, context["user"]), context.actor.session
    kept = own.id if own is not None and own.user_id == user.id else None
    sessions.end_others(context.registry, context.actor.name, user, kept)


def _show_sign_in(context: RequestContext) -> Any:
    user = accounts.get_user(context.registry, context["user"])
    return {
        "second_factor": second_factor.has_factor(context.registry, user),
        "recovery_codes": second_factor.count_recovery_codes(context.registry, user),
        "identities": [
            {"issuer": one.issuer, "subject": one.subject}
            for one in identities.list_identities(context.registry, user)
        ],
    }


def _reset_second_factor(context: RequestContext) -> None:
    user = accounts.get_user(context.registry, context["user"])
    second_factor.reset(context.registry, context.actor.name, user)


def _link_identity(context: RequestContext) -> None:
    user = accounts.get_user(context.registry, context["user"])
    words = context["issuer"], context["subject"]
    identities.link(context.registry, context.actor.name, user, *words)


def _unlink_identity(context: RequestContext) -> None:
    user = accounts.get_user(context.registry, context["user"])
    identities.unlink(context.registry, context.actor.name, user, context["issuer"])


def _target_of(context: RequestContext) -> InvitationTarget:
    return InvitationTarget(context.get("channel", ""), context.get("organisation", ""))


def _invite(context: RequestContext) -> Any:
    role, days = Action(context["role"]), context.get("days", invitations.DAYS)
    by, target = context.actor.name, _target_of(context)
    secret, made = invitations.invite(context.registry, by, target, role, days)
    path = f"/-/invitation?code={secret}"
    return {"code": secret, "path": path, "invitation": _serialize_invitation(made)}


def _list_invitations(context: RequestContext) -> Any:
    found = invitations.list_invitations(context.registry, _target_of(context))
    return [_serialize_invitation(one) for one in found]


def _withdraw_invitation(context: RequestContext) -> None:
    target = _target_of(context)
    invitations.withdraw(context.registry, context.actor.name, target, context["id"])


def _accept_invitation(context: RequestContext) -> Any:
    user, token = context.actor.user, context.actor.token
    if user is None or (token is not None and not token.is_whole):
        raise Refused("forbidden", "A token with limits cannot take an invitation", status=403)
    return {"to": invitations.accept(context.registry, user, context["code"])}


_USER = "/users/{user}"
_INVITATION = FieldSpec(
    {
        "role": parameters.ROLE,
        "days": number("days for which it can be taken", 1, invitations.MAX_DAYS),
    },
    ("role",),
)
_INVITED = ResponseSpec("NewInvitation", status=201)
_INVITATIONS = ResponseSpec("Invitation", is_list=True)
_ISSUER = text("https URL of the issuer", r"https://[^\s]+", max_length=500)

ENDPOINTS = (
    Endpoint(
        "GET",
        f"{_USER}/sessions",
        "list-sessions",
        "List a user's sessions in browsers.",
        RequiredRole.SELF,
        _list_sessions,
        ResponseSpec("Session", is_list=True),
    ),
    Endpoint(
        "DELETE",
        f"{_USER}/sessions",
        "end-sessions",
        "End a user's sessions, but for the one that asks for it.",
        RequiredRole.SELF,
        _end_sessions,
    ),
    Endpoint(
        "DELETE",
        f"{_USER}/sessions/{{id}}",
        "end-session",
        "End a session.",
        RequiredRole.SELF,
        _end_session,
    ),
    Endpoint(
        "GET",
        f"{_USER}/sign-in",
        "show-sign-in",
        "Show how a user signs in: the second factor and the identities at issuers.",
        RequiredRole.SELF,
        _show_sign_in,
        ResponseSpec("SignIn"),
    ),
    Endpoint(
        "DELETE",
        f"{_USER}/second-factor",
        "reset-second-factor",
        "Remove the second factor of a user who has lost it; the user's sessions end.",
        RequiredRole.OPERATOR,
        _reset_second_factor,
    ),
    Endpoint(
        "POST",
        f"{_USER}/identities",
        "link-identity",
        "Let somebody whom an issuer (OpenID Connect) names so sign in as this user.",
        RequiredRole.OPERATOR,
        _link_identity,
        body=FieldSpec(
            {
                "issuer": _ISSUER,
                "subject": text("the claim 'sub'", max_length=255, min_length=1),
            },
            ("issuer", "subject"),
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_USER}/identities",
        "unlink-identity",
        "Remove a user's identities at an issuer.",
        RequiredRole.SELF,
        _unlink_identity,
        query=FieldSpec({"issuer": _ISSUER}, ("issuer",)),
    ),
    Endpoint(
        "POST",
        "/channels/{channel}/invitations",
        "invite",
        "Make a link that gives its reader a role in the channel, once; it is shown once.",
        RequiredRole.ADMIN,
        _invite,
        _INVITED,
        _INVITATION,
    ),
    Endpoint(
        "GET",
        "/channels/{channel}/invitations",
        "list-invitations",
        "List the open invitations to a channel.",
        RequiredRole.ADMIN,
        _list_invitations,
        _INVITATIONS,
    ),
    Endpoint(
        "DELETE",
        "/channels/{channel}/invitations/{id}",
        "withdraw-invitation",
        "Withdraw an invitation to a channel.",
        RequiredRole.ADMIN,
        _withdraw_invitation,
    ),
    Endpoint(
        "POST",
        "/organisations/{organisation}/invitations",
        "invite-member",
        "Make a link that makes its reader a member of the organisation, once.",
        RequiredRole.ORGANISATION,
        _invite,
        _INVITED,
        _INVITATION,
    ),
    Endpoint(
        "GET",
        "/organisations/{organisation}/invitations",
        "list-member-invitations",
        "List the open invitations to an organisation.",
        RequiredRole.ORGANISATION,
        _list_invitations,
        _INVITATIONS,
    ),
    Endpoint(
        "DELETE",
        "/organisations/{organisation}/invitations/{id}",
        "withdraw-member-invitation",
        "Withdraw an invitation to an organisation.",
        RequiredRole.ORGANISATION,
        _withdraw_invitation,
    ),
    Endpoint(
        "POST",
        "/invitations/accept",
        "accept-invitation",
        "Take an invitation.",
        RequiredRole.LOGIN,
        _accept_invitation,
        ResponseSpec("AcceptedInvitation"),
        FieldSpec(
            {"code": text("the secret of its link", max_length=100, min_length=1)}, ("code",)
        ),
    ),
)
