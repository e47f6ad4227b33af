"""Channels: their rules, roles, private prefixes, trusted publishers, upstreams and retention."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused, Unreachable
from twofold.names import normalize_name
from twofold.server.auth import accounts, trusted_publishers
from twofold.server.auth.required_roles import RequiredRole, require_operator
from twofold.server.model import Action
from twofold.server.proxy import config
from twofold.server.registry import administration
from twofold.server.registry.administration import Retention
from twofold.server.web.management import response_schemas, words
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import flag, mapping, number, or_null

#: What the address calls a rule -> what the channel calls it.
_RULES = {"quota": "quota", "deletion": "deletion", "keep": "keep", "keep_days": "keep-days"}


def _channels(asked: RequestContext) -> Any:
    return [
        response_schemas.serialize_channel(channel)
        for channel in administration.list_readable_channels(asked.registry, asked.actor)
    ]


def _add(asked: RequestContext) -> Any:
    registry, actor = asked.registry, asked.actor
    owner = accounts.get_user(registry, asked.get("owner", actor.name))
    given = asked["name"], owner, asked.get("public", True)
    return response_schemas.serialize_channel(accounts.add_channel(registry, actor.name, *given))


def _channel(asked: RequestContext) -> Any:
    detail = administration.get_channel_detail(asked.registry, asked["channel"])
    return {
        "channel": response_schemas.serialize_channel(detail.channel),
        "owner": detail.owner,
        "bytes": detail.size,
    }


def _change(asked: RequestContext) -> Any:
    if "quota" in asked.parameters:
        require_operator(asked.actor, "quota")
    rules = {rule: asked[name] for name, rule in _RULES.items() if name in asked.parameters}
    if "public" in asked.parameters:
        rules["public"] = asked["public"]
    administration.set_rules(asked.registry, asked.actor.name, asked["channel"], rules)
    return _channel(asked)


def _roles(asked: RequestContext) -> Any:
    roles = administration.get_channel_detail(asked.registry, asked["channel"]).roles
    return [response_schemas.serialize_role(name, role) for name, role in sorted(roles.items())]


def _set_role(asked: RequestContext) -> Any:
    role = Action(asked["role"])
    _role(asked, role)
    return response_schemas.serialize_role(asked["user"], role)


def _role(asked: RequestContext, role: Action | None) -> None:
    who = accounts.get_user(asked.registry, asked["user"])
    administration.set_role(asked.registry, asked.actor.name, asked["channel"], who, role)


def _prefixes(asked: RequestContext) -> Any:
    prefixes = administration.get_channel_detail(asked.registry, asked["channel"]).prefixes
    return [{"prefix": prefix, "owner": owner} for prefix, owner in sorted(prefixes.items())]


def _set_prefix(asked: RequestContext) -> Any:
    owner = accounts.get_user(asked.registry, asked["owner"])
    given = asked["channel"], asked["prefix"], owner
    administration.reserve_prefix(asked.registry, asked.actor.name, *given)
    return {"prefix": normalize_name(asked["prefix"]), "owner": owner.name}


def _free_prefix(asked: RequestContext) -> None:
    given = asked["channel"], asked["prefix"], None
    administration.reserve_prefix(asked.registry, asked.actor.name, *given)


def _publishers(asked: RequestContext) -> Any:
    found = trusted_publishers.list_publishers(asked.registry, asked["channel"])
    return [response_schemas.serialize_publisher(publisher) for publisher in found]


def _add_publisher(asked: RequestContext) -> Any:
    given = asked["channel"], asked["project"], asked["issuer"], asked["claims"]
    return response_schemas.serialize_publisher(
        trusted_publishers.add_publisher(asked.registry, asked.actor.name, *given)
    )


def _remove_publisher(asked: RequestContext) -> None:
    trusted_publishers.remove_publisher(
        asked.registry, asked.actor.name, asked["channel"], asked["id"]
    )


def _upstreams(asked: RequestContext) -> Any:
    return [
        {"kind": one.kind, "url": one.url, "private_prefixes": list(one.prefixes)}
        for channel, one in config.list_all(asked.registry)
        if channel == asked["channel"]
    ]


def _set_upstream(asked: RequestContext) -> Any:
    """An address inside the operator's network is named on the machine itself, never over HTTP."""
    prefixes = tuple(asked.get("private_prefixes", ()))
    front = config.UpstreamConfig(asked["url"], asked["kind"], prefixes)
    try:
        config.check_public(asked["url"])
        added = config.add(asked.registry, asked.actor.name, asked["channel"], front)
    except Unreachable as error:
        raise Refused("unreachable", error.problems[0].message, status=409) from error
    except Refused as error:
        if error.status < 500:
            raise
        # An address that cannot be fetched from: here the caller's own, not an upstream's answer.
        problem = error.problems[0]
        raise Refused(error.code, problem.message, problem.hint or "", 400) from error
    return {"kind": added.kind, "url": added.url, "private_prefixes": list(added.prefixes)}


def _remove_upstream(asked: RequestContext) -> None:
    config.remove(asked.registry, asked.actor.name, asked["channel"], asked["kind"])


def _retain(asked: RequestContext) -> Any:
    registry, channel = asked.registry, asked["channel"]
    rule = administration.get_retention(registry, channel)
    if "keep" in asked.parameters:
        rule = Retention(asked["keep"], asked.get("days", 0))
    if rule is None:
        hint = "give keep, or set the channel's rule"
        raise Refused("no-rule", f"'{channel}' has no rule of what to keep", hint, 409)
    dry_run = asked.get("dry_run", False)
    gone = administration.apply_channel_retention(registry, asked.actor, channel, rule, dry_run)
    return [response_schemas.serialize_file(file) for file in gone]


_HERE = "/channels/{channel}"

CALLS = (
    Endpoint(
        "GET",
        "/channels",
        "list-channels",
        "The channels that who asks may read.",
        RequiredRole.LOGIN,
        _channels,
        ResponseSpec("Channel", is_list=True),
    ),
    Endpoint(
        "POST",
        "/channels",
        "add-channel",
        "Add a channel; it is public and belongs to who asks, unless said.",
        RequiredRole.OPERATOR,
        _add,
        ResponseSpec("Channel", status=201),
        FieldSpec(
            {"name": words.NEW_NAME, "owner": words.USER, "public": flag("all may read")}, ("name",)
        ),
    ),
    Endpoint(
        "GET",
        _HERE,
        "show-channel",
        "A channel, its owner and its size.",
        RequiredRole.READ,
        _channel,
        ResponseSpec("ChannelDetail"),
    ),
    Endpoint(
        "PATCH",
        _HERE,
        "change-channel",
        "Change rules of a channel; the quota is for operators.",
        RequiredRole.ADMIN,
        _change,
        ResponseSpec("ChannelDetail"),
        FieldSpec(
            {
                "public": flag("all may read"),
                "quota": or_null(number("bytes; null: no limit")),
                "deletion": words.DELETION,
                "keep": or_null(words.KEEP),
                "keep_days": or_null(words.DAYS),
            }
        ),
    ),
    Endpoint(
        "GET",
        f"{_HERE}/roles",
        "list-roles",
        "Who has which role.",
        RequiredRole.ADMIN,
        _roles,
        ResponseSpec("Role", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_HERE}/roles/{{user}}",
        "set-role",
        "Give a user or an organisation a role.",
        RequiredRole.ADMIN,
        _set_role,
        ResponseSpec("Role"),
        FieldSpec({"role": words.ROLE}, ("role",)),
    ),
    Endpoint(
        "DELETE",
        f"{_HERE}/roles/{{user}}",
        "remove-role",
        "Take a role away.",
        RequiredRole.ADMIN,
        lambda asked: _role(asked, None),
    ),
    Endpoint(
        "GET",
        f"{_HERE}/prefixes",
        "list-prefixes",
        "Private prefixes of names (PEP 752).",
        RequiredRole.READ,
        _prefixes,
        ResponseSpec("Prefix", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_HERE}/prefixes/{{prefix}}",
        "reserve-prefix",
        "Reserve names under a prefix: only its owner begins projects there.",
        RequiredRole.ADMIN,
        _set_prefix,
        ResponseSpec("Prefix"),
        FieldSpec({"owner": words.USER}, ("owner",)),
    ),
    Endpoint(
        "DELETE",
        f"{_HERE}/prefixes/{{prefix}}",
        "free-prefix",
        "Reserve a prefix no longer.",
        RequiredRole.ADMIN,
        _free_prefix,
    ),
    Endpoint(
        "GET",
        f"{_HERE}/publishers",
        "list-publishers",
        "Trusted publishers.",
        RequiredRole.ADMIN,
        _publishers,
        ResponseSpec("Publisher", is_list=True),
    ),
    Endpoint(
        "POST",
        f"{_HERE}/publishers",
        "add-publisher",
        "Trust CI runs with these claims to publish a project.",
        RequiredRole.ADMIN,
        _add_publisher,
        ResponseSpec("Publisher", status=201),
        FieldSpec(
            {
                "project": words.PROJECT,
                "issuer": words.ADDRESS,
                "claims": mapping(words.CLAIM_VALUES, min_items=1),
            },
            ("project", "issuer", "claims"),
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_HERE}/publishers/{{id}}",
        "remove-publisher",
        "Trust these runs no longer.",
        RequiredRole.ADMIN,
        _remove_publisher,
    ),
    Endpoint(
        "GET",
        f"{_HERE}/upstreams",
        "list-upstreams",
        "What the channel stands in front of.",
        RequiredRole.ADMIN,
        _upstreams,
        ResponseSpec("Upstream", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_HERE}/upstreams/{{kind}}",
        "set-upstream",
        "Put the channel in front of a public index or channel.",
        RequiredRole.OPERATOR,
        _set_upstream,
        ResponseSpec("Upstream"),
        FieldSpec({"url": words.ADDRESS, "private_prefixes": words.PREFIXES}, ("url",)),
    ),
    Endpoint(
        "DELETE",
        f"{_HERE}/upstreams/{{kind}}",
        "remove-upstream",
        "Ask it no more; what was fetched stays.",
        RequiredRole.OPERATOR,
        _remove_upstream,
    ),
    Endpoint(
        "POST",
        f"{_HERE}/retention",
        "retain",
        "Delete old releases by the rule given, or by the channel's own.",
        RequiredRole.ADMIN,
        _retain,
        ResponseSpec("File", is_list=True),
        FieldSpec({"keep": words.KEEP, "days": words.DAYS, "dry_run": words.DRY_RUN}),
    ),
)
