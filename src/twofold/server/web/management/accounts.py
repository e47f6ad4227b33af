"""Users, organisations and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import accounts
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.model import UPLOADS_ONLY, Action
from twofold.server.registry import administration
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import flag, list_of, number, text


def _whoami(context: RequestContext) -> Any:
    return response_schemas.serialize_caller(context.actor)


def _list_users(context: RequestContext) -> Any:
    return [
        response_schemas.serialize_user(found)
        for found in administration.list_users(context.registry)
    ]


def _add_user(context: RequestContext) -> Any:
    arguments = context["name"], context.get("password"), context.get("kind", "user")
    return response_schemas.serialize_user(
        accounts.add_user(context.registry, context.actor.name, *arguments)
    )


def _show_user(context: RequestContext) -> Any:
    return response_schemas.serialize_user(accounts.get_user(context.registry, context["user"]))


def _set_password(context: RequestContext) -> None:
    """Set a password. An operator does not need the user's current password."""
    registry, actor = context.registry, context.actor
    found = accounts.get_user(registry, context["user"])
    if actor.user is not None and (not actor.operator or found.id == actor.user.id):
        try:
            with context.rate_limited(found.name):
                accounts.check_password(registry, found.name, context.get("current", ""))
        except Refused as error:
            if error.status != 401:
                raise
            # The login of the request itself is right.
            raise Refused("wrong-password", "The current password is wrong", "", 403) from error
    administration.set_password(registry, actor.name, found, context["password"])


def _remove_password(context: RequestContext) -> None:
    found = accounts.get_user(context.registry, context["user"])
    administration.set_password(context.registry, context.actor.name, found, None)


def _disable_user(context: RequestContext) -> Any:
    found = accounts.get_user(context.registry, context["user"])
    if context.actor.user is not None and found.id == context.actor.user.id:
        raise Refused("own-account", "You cannot disable your own account", status=409)
    administration.disable_user(context.registry, context.actor.name, found)
    return _show_user(context)


def _list_tokens(context: RequestContext) -> Any:
    found = administration.list_tokens(
        context.registry, accounts.get_user(context.registry, context["user"])
    )
    return [response_schemas.serialize_token(token) for token in found]


def _add_token(context: RequestContext) -> Any:
    registry, actor = context.registry, context.actor
    days, project = context.get("days"), context.get("project")
    request = accounts.TokenRequest(
        name=context.get("name", "made over HTTP"),
        actions=frozenset(map(Action, context.get("actions", ["read", "upload", "admin"]))),
        channel=context.get("channel"),
        project=normalize_name(project) if project else None,
        expires_at=registry.clock() + timedelta(days=days) if days else None,
        application={UPLOADS_ONLY: True} if context.get("uploads_only") else {},
    )
    owner = accounts.get_user(registry, context["user"])
    if actor.user is not None and owner.id == actor.user.id:
        secret, token = accounts.issue_token(registry, actor, request)
    else:
        secret, token = accounts.issue_token_for(registry, actor.name, owner, request)
    return {"secret": secret, "token": response_schemas.serialize_token(token)}


def _revoke_token(context: RequestContext) -> None:
    administration.revoke_token(
        context.registry, context.actor.name, context["user"], context["id"]
    )


def _list_members(context: RequestContext) -> Any:
    organisation = accounts.get_user(context.registry, context["organisation"])
    found = administration.list_members(context.registry, organisation)
    return [response_schemas.serialize_role(name, role) for name, role in found.items()]


def _set_member(context: RequestContext) -> Any:
    role = Action(context["role"])
    _assign_role(context, role)
    return response_schemas.serialize_role(context["user"], role)


def _assign_role(context: RequestContext, role: Action | None) -> None:
    registry = context.registry
    organisation = accounts.get_user(registry, context["organisation"])
    user = accounts.get_user(registry, context["user"])
    administration.set_member(registry, context.actor.name, organisation, user, role)


_TOKENS, _MEMBER = "/users/{user}/tokens", "/organisations/{organisation}/members/{user}"

ENDPOINTS = (
    Endpoint(
        "GET",
        "/whoami",
        "whoami",
        "Show the caller's user and token.",
        RequiredRole.LOGIN,
        _whoami,
        ResponseSpec("Asker"),
    ),
    Endpoint(
        "GET",
        "/users",
        "list-users",
        "List users and organisations.",
        RequiredRole.OPERATOR,
        _list_users,
        ResponseSpec("User", is_list=True),
    ),
    Endpoint(
        "POST",
        "/users",
        "add-user",
        "Add a user or an organisation.",
        RequiredRole.OPERATOR,
        _add_user,
        ResponseSpec("User", status=201),
        FieldSpec(
            {
                "name": parameters.NEW_NAME,
                "kind": {"type": "string", "enum": ["user", "organisation"]},
                "password": parameters.PASSWORD,
            },
            ("name",),
        ),
    ),
    Endpoint(
        "GET",
        "/users/{user}",
        "show-user",
        "Show a user.",
        RequiredRole.SELF,
        _show_user,
        ResponseSpec("User"),
    ),
    Endpoint(
        "PUT",
        "/users/{user}/password",
        "set-password",
        "Set a password; to change your own, send the current password or your token too.",
        RequiredRole.SELF,
        _set_password,
        body=FieldSpec(
            {
                "password": parameters.PASSWORD,
                "current": text("your password as it is now, or a token of yours", max_length=1000),
            },
            ("password",),
        ),
    ),
    Endpoint(
        "DELETE",
        "/users/{user}/password",
        "remove-password",
        "Remove a password: the user can then log in with tokens only.",
        RequiredRole.OPERATOR,
        _remove_password,
    ),
    Endpoint(
        "POST",
        "/users/{user}/disable",
        "disable-user",
        "Disable an account: its tokens and password stop working, its uploads stay.",
        RequiredRole.OPERATOR,
        _disable_user,
        ResponseSpec("User"),
    ),
    Endpoint(
        "GET",
        _TOKENS,
        "list-tokens",
        "List a user's tokens that are not revoked.",
        RequiredRole.SELF,
        _list_tokens,
        ResponseSpec("Token", is_list=True),
    ),
    Endpoint(
        "POST",
        _TOKENS,
        "add-token",
        "Create a token with at most the caller's permissions; its secret is shown only once.",
        RequiredRole.SELF,
        _add_token,
        ResponseSpec("NewToken", status=201),
        FieldSpec(
            {
                "name": text("a name to recognise the token by", max_length=200, min_length=1),
                "actions": list_of(parameters.ACTION, "allowed actions; all by default", 1, 3),
                "channel": parameters.CHANNEL,
                "project": parameters.PROJECT,
                "days": number("days for which it is valid; without it for ever", 1, 36_500),
                "uploads_only": flag("it yanks, deletes and relabels nothing"),
            }
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_TOKENS}/{{id}}",
        "revoke-token",
        "Revoke a token.",
        RequiredRole.SELF,
        _revoke_token,
    ),
    Endpoint(
        "GET",
        "/organisations/{organisation}/members",
        "list-members",
        "List the members of an organisation and their roles.",
        RequiredRole.ORGANISATION,
        _list_members,
        ResponseSpec("Role", is_list=True),
    ),
    Endpoint(
        "PUT",
        _MEMBER,
        "set-member",
        "Add a member to an organisation with a role.",
        RequiredRole.ORGANISATION,
        _set_member,
        ResponseSpec("Role"),
        FieldSpec({"role": parameters.ROLE}, ("role",)),
    ),
    Endpoint(
        "DELETE",
        _MEMBER,
        "remove-member",
        "Remove a member from an organisation.",
        RequiredRole.ORGANISATION,
        lambda context: _assign_role(context, None),
    ),
)
