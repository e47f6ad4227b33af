"""Users, organisations and tokens."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from twofold.errors import Refused
from twofold.names import normalised
from twofold.server.model import Action
from twofold.server.registry import administration, people
from twofold.server.registry.managing import Needs
from twofold.server.web.management import shapes, words
from twofold.server.web.management.calls import Answer, Asked, Call, Fields
from twofold.server.web.management.schema import list_of, text


def _whoami(asked: Asked) -> Any:
    return shapes.asker(asked.actor)


def _users(asked: Asked) -> Any:
    return [shapes.user(found) for found in administration.users(asked.registry)]


def _add(asked: Asked) -> Any:
    given = asked["name"], asked.get("password"), asked.get("kind", "user")
    return shapes.user(people.add_user(asked.registry, asked.actor.name, *given))


def _user(asked: Asked) -> Any:
    return shapes.user(people.user(asked.registry, asked["user"]))


def _set_password(asked: Asked) -> None:
    """Who looks after the registry need not know the password that there was."""
    registry, actor = asked.registry, asked.actor
    found = people.user(registry, asked["user"])
    if actor.user is not None and (not actor.operator or found.id == actor.user.id):
        with asked.guess(found.name):
            people.log_in(registry, found.name, asked.get("current", ""))
    administration.set_password(registry, actor.name, found, asked["password"])


def _remove_password(asked: Asked) -> None:
    found = people.user(asked.registry, asked["user"])
    administration.set_password(asked.registry, asked.actor.name, found, None)


def _disable(asked: Asked) -> Any:
    found = people.user(asked.registry, asked["user"])
    if asked.actor.user is not None and found.id == asked.actor.user.id:
        raise Refused("own-account", "Nobody closes the account that asks for it", status=409)
    administration.disable(asked.registry, asked.actor.name, found)
    return _user(asked)


def _tokens(asked: Asked) -> Any:
    found = administration.tokens_of(asked.registry, people.user(asked.registry, asked["user"]))
    return [shapes.token(token) for token in found]


def _add_token(asked: Asked) -> Any:
    registry, actor = asked.registry, asked.actor
    days, project = asked.get("days"), asked.get("project")
    request = people.TokenRequest(
        name=asked.get("name", "made over HTTP"),
        actions=frozenset(map(Action, asked.get("actions", ["read", "upload", "admin"]))),
        channel=asked.get("channel"),
        project=normalised(project) if project else None,
        expires_at=registry.clock() + timedelta(days=days) if days else None,
    )
    owner = people.user(registry, asked["user"])
    if actor.user is not None and owner.id == actor.user.id:
        secret, token = people.issue_token(registry, actor, request)
    else:
        secret, token = people.give_token(registry, actor.name, owner, request)
    return {"secret": secret, "token": shapes.token(token)}


def _revoke(asked: Asked) -> None:
    administration.revoke_token(asked.registry, asked.actor.name, asked["user"], asked["id"])


def _members(asked: Asked) -> Any:
    organisation = people.user(asked.registry, asked["organisation"])
    found = administration.members(asked.registry, organisation)
    return [shapes.role(name, role) for name, role in found.items()]


def _set_member(asked: Asked) -> Any:
    role = Action(asked["role"])
    _member(asked, role)
    return shapes.role(asked["user"], role)


def _member(asked: Asked, role: Action | None) -> None:
    registry = asked.registry
    organisation = people.user(registry, asked["organisation"])
    who = people.user(registry, asked["user"])
    administration.set_member(registry, asked.actor.name, organisation, who, role)


_TOKENS, _MEMBER = "/users/{user}/tokens", "/organisations/{organisation}/members/{user}"

CALLS = (
    Call("GET", "/whoami", "whoami", "Who asks.", Needs.LOGIN, _whoami, Answer("Asker")),
    Call(
        "GET",
        "/users",
        "list-users",
        "Users and organisations.",
        Needs.OPERATOR,
        _users,
        Answer("User", is_list=True),
    ),
    Call(
        "POST",
        "/users",
        "add-user",
        "Add a user or an organisation.",
        Needs.OPERATOR,
        _add,
        Answer("User", status=201),
        Fields(
            {
                "name": words.NEW_NAME,
                "kind": {"type": "string", "enum": ["user", "organisation"]},
                "password": words.PASSWORD,
            },
            ("name",),
        ),
    ),
    Call("GET", "/users/{user}", "show-user", "One user.", Needs.SELF, _user, Answer("User")),
    Call(
        "PUT",
        "/users/{user}/password",
        "set-password",
        "Set a password; whose it is says the current one (or a token of its own) too.",
        Needs.SELF,
        _set_password,
        body=Fields(
            {"password": words.PASSWORD, "current": text("the current one", most=1000)},
            ("password",),
        ),
    ),
    Call(
        "DELETE",
        "/users/{user}/password",
        "remove-password",
        "Let the user log in with tokens alone.",
        Needs.OPERATOR,
        _remove_password,
    ),
    Call(
        "POST",
        "/users/{user}/disable",
        "disable-user",
        "Close an account: its tokens and its password stop working, its uploads stay.",
        Needs.OPERATOR,
        _disable,
        Answer("User"),
    ),
    Call(
        "GET",
        _TOKENS,
        "list-tokens",
        "A user's tokens that were not revoked.",
        Needs.SELF,
        _tokens,
        Answer("Token", is_list=True),
    ),
    Call(
        "POST",
        _TOKENS,
        "add-token",
        "Make a token; its secret is told this once. It can do no more than the login that asks.",
        Needs.SELF,
        _add_token,
        Answer("NewToken", status=201),
        Fields(
            {
                "name": text("to tell it from others", most=200, least=1),
                "actions": list_of(words.ACTION, "what it may do; everything unless said", 1, 3),
                "channel": words.CHANNEL,
                "project": words.PROJECT,
                "days": {**words.DAYS, "minimum": 1, "maximum": 36_500},
            }
        ),
    ),
    Call("DELETE", f"{_TOKENS}/{{id}}", "revoke-token", "Revoke a token.", Needs.SELF, _revoke),
    Call(
        "GET",
        "/organisations/{organisation}/members",
        "list-members",
        "Who acts for an organisation, and up to which role.",
        Needs.ORGANISATION,
        _members,
        Answer("Role", is_list=True),
    ),
    Call(
        "PUT",
        _MEMBER,
        "set-member",
        "Let a user act for an organisation, up to a role.",
        Needs.ORGANISATION,
        _set_member,
        Answer("Role"),
        Fields({"role": words.ROLE}, ("role",)),
    ),
    Call(
        "DELETE",
        _MEMBER,
        "remove-member",
        "Let a user act for an organisation no longer.",
        Needs.ORGANISATION,
        lambda asked: _member(asked, None),
    ),
)
