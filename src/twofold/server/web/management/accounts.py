"""Users, organisations and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import accounts
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.model import Action
from twofold.server.registry import administration
from twofold.server.web.management import response_schemas, words
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import list_of, text


def _whoami(asked: RequestContext) -> Any:
    return response_schemas.serialize_caller(asked.actor)


def _users(asked: RequestContext) -> Any:
    return [
        response_schemas.serialize_user(found)
        for found in administration.list_users(asked.registry)
    ]


def _add(asked: RequestContext) -> Any:
    given = asked["name"], asked.get("password"), asked.get("kind", "user")
    return response_schemas.serialize_user(
        accounts.add_user(asked.registry, asked.actor.name, *given)
    )


def _user(asked: RequestContext) -> Any:
    return response_schemas.serialize_user(accounts.get_user(asked.registry, asked["user"]))


def _set_password(asked: RequestContext) -> None:
    """Who looks after the registry need not know the password that there was."""
    registry, actor = asked.registry, asked.actor
    found = accounts.get_user(registry, asked["user"])
    if actor.user is not None and (not actor.operator or found.id == actor.user.id):
        with asked.rate_limited(found.name):
            accounts.log_in(registry, found.name, asked.get("current", ""))
    administration.set_password(registry, actor.name, found, asked["password"])


def _remove_password(asked: RequestContext) -> None:
    found = accounts.get_user(asked.registry, asked["user"])
    administration.set_password(asked.registry, asked.actor.name, found, None)


def _disable(asked: RequestContext) -> Any:
    found = accounts.get_user(asked.registry, asked["user"])
    if asked.actor.user is not None and found.id == asked.actor.user.id:
        raise Refused("own-account", "Nobody closes the account that asks for it", status=409)
    administration.disable_user(asked.registry, asked.actor.name, found)
    return _user(asked)


def _tokens(asked: RequestContext) -> Any:
    found = administration.list_tokens(
        asked.registry, accounts.get_user(asked.registry, asked["user"])
    )
    return [response_schemas.serialize_token(token) for token in found]


def _add_token(asked: RequestContext) -> Any:
    registry, actor = asked.registry, asked.actor
    days, project = asked.get("days"), asked.get("project")
    request = accounts.TokenRequest(
        name=asked.get("name", "made over HTTP"),
        actions=frozenset(map(Action, asked.get("actions", ["read", "upload", "admin"]))),
        channel=asked.get("channel"),
        project=normalize_name(project) if project else None,
        expires_at=registry.clock() + timedelta(days=days) if days else None,
    )
    owner = accounts.get_user(registry, asked["user"])
    if actor.user is not None and owner.id == actor.user.id:
        secret, token = accounts.issue_token(registry, actor, request)
    else:
        secret, token = accounts.issue_token_for(registry, actor.name, owner, request)
    return {"secret": secret, "token": response_schemas.serialize_token(token)}


def _revoke(asked: RequestContext) -> None:
    administration.revoke_token(asked.registry, asked.actor.name, asked["user"], asked["id"])


def _members(asked: RequestContext) -> Any:
    organisation = accounts.get_user(asked.registry, asked["organisation"])
    found = administration.list_members(asked.registry, organisation)
    return [response_schemas.serialize_role(name, role) for name, role in found.items()]


def _set_member(asked: RequestContext) -> Any:
    role = Action(asked["role"])
    _member(asked, role)
    return response_schemas.serialize_role(asked["user"], role)


def _member(asked: RequestContext, role: Action | None) -> None:
    registry = asked.registry
    organisation = accounts.get_user(registry, asked["organisation"])
    who = accounts.get_user(registry, asked["user"])
    administration.set_member(registry, asked.actor.name, organisation, who, role)


_TOKENS, _MEMBER = "/users/{user}/tokens", "/organisations/{organisation}/members/{user}"

CALLS = (
    Endpoint(
        "GET", "/whoami", "whoami", "Who asks.", RequiredRole.LOGIN, _whoami, ResponseSpec("Asker")
    ),
    Endpoint(
        "GET",
        "/users",
        "list-users",
        "Users and organisations.",
        RequiredRole.OPERATOR,
        _users,
        ResponseSpec("User", is_list=True),
    ),
    Endpoint(
        "POST",
        "/users",
        "add-user",
        "Add a user or an organisation.",
        RequiredRole.OPERATOR,
        _add,
        ResponseSpec("User", status=201),
        FieldSpec(
            {
                "name": words.NEW_NAME,
                "kind": {"type": "string", "enum": ["user", "organisation"]},
                "password": words.PASSWORD,
            },
            ("name",),
        ),
    ),
    Endpoint(
        "GET",
        "/users/{user}",
        "show-user",
        "One user.",
        RequiredRole.SELF,
        _user,
        ResponseSpec("User"),
    ),
    Endpoint(
        "PUT",
        "/users/{user}/password",
        "set-password",
        "Set a password; whose it is says the current one (or a token of its own) too.",
        RequiredRole.SELF,
        _set_password,
        body=FieldSpec(
            {"password": words.PASSWORD, "current": text("the current one", max_length=1000)},
            ("password",),
        ),
    ),
    Endpoint(
        "DELETE",
        "/users/{user}/password",
        "remove-password",
        "Let the user log in with tokens alone.",
        RequiredRole.OPERATOR,
        _remove_password,
    ),
    Endpoint(
        "POST",
        "/users/{user}/disable",
        "disable-user",
        "Close an account: its tokens and its password stop working, its uploads stay.",
        RequiredRole.OPERATOR,
        _disable,
        ResponseSpec("User"),
    ),
    Endpoint(
        "GET",
        _TOKENS,
        "list-tokens",
        "A user's tokens that were not revoked.",
        RequiredRole.SELF,
        _tokens,
        ResponseSpec("Token", is_list=True),
    ),
    Endpoint(
        "POST",
        _TOKENS,
        "add-token",
        "Make a token; its secret is told this once. It can do no more than the login that asks.",
        RequiredRole.SELF,
        _add_token,
        ResponseSpec("NewToken", status=201),
        FieldSpec(
            {
                "name": text("to tell it from others", max_length=200, min_length=1),
                "actions": list_of(words.ACTION, "what it may do; everything unless said", 1, 3),
                "channel": words.CHANNEL,
                "project": words.PROJECT,
                "days": {**words.DAYS, "minimum": 1, "maximum": 36_500},
            }
        ),
    ),
    Endpoint(
        "DELETE", f"{_TOKENS}/{{id}}", "revoke-token", "Revoke a token.", RequiredRole.SELF, _revoke
    ),
    Endpoint(
        "GET",
        "/organisations/{organisation}/members",
        "list-members",
        "Who acts for an organisation, and up to which role.",
        RequiredRole.ORGANISATION,
        _members,
        ResponseSpec("Role", is_list=True),
    ),
    Endpoint(
        "PUT",
        _MEMBER,
        "set-member",
        "Let a user act for an organisation, up to a role.",
        RequiredRole.ORGANISATION,
        _set_member,
        ResponseSpec("Role"),
        FieldSpec({"role": words.ROLE}, ("role",)),
    ),
    Endpoint(
        "DELETE",
        _MEMBER,
        "remove-member",
        "Let a user act for an organisation no longer.",
        RequiredRole.ORGANISATION,
        lambda asked: _member(asked, None),
    ),
)
