"""Channels: their rules, roles, private prefixes, trusted publishers, upstreams and retention."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import accounts, trusted_publishers
from twofold.server.auth.required_roles import RequiredRole, require_operator
from twofold.server.model import Action
from twofold.server.registry import administration
from twofold.server.registry.channel_retention import (
    Retention,
    apply_channel_retention,
    get_retention,
)
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import flag, mapping, number, or_null

#: Field of the request -> key of the channel's setting.
_RULES = {"quota": "quota", "deletion": "deletion", "keep": "keep", "keep_days": "keep-days"}


def _list_channels(context: RequestContext) -> Any:
    return [
        response_schemas.serialize_channel(channel)
        for channel in administration.list_readable_channels(context.registry, context.actor)
    ]


def _add_channel(context: RequestContext) -> Any:
    registry, actor = context.registry, context.actor
    owner = accounts.get_user(registry, context.get("owner", actor.name))
    arguments = context["name"], owner, context.get("public", True)
    return response_schemas.serialize_channel(
        accounts.add_channel(registry, actor.name, *arguments)
    )


def _show_channel(context: RequestContext) -> Any:
    detail = administration.get_channel_detail(context.registry, context["channel"])
    return {
        "channel": response_schemas.serialize_channel(detail.channel),
        "owner": detail.owner,
        "bytes": detail.size,
    }


def _change_channel(context: RequestContext) -> Any:
    if "quota" in context.parameters:
        require_operator(context.actor, "quota")
    rules = {rule: context[name] for name, rule in _RULES.items() if name in context.parameters}
    if "public" in context.parameters:
        rules["public"] = context["public"]
    administration.set_rules(context.registry, context.actor.name, context["channel"], rules)
    return _show_channel(context)


def _list_roles(context: RequestContext) -> Any:
    roles = administration.get_channel_detail(context.registry, context["channel"]).roles
    return [response_schemas.serialize_role(name, role) for name, role in sorted(roles.items())]


def _set_role(context: RequestContext) -> Any:
    role = Action(context["role"])
    _assign_role(context, role)
    return response_schemas.serialize_role(context["user"], role)


def _assign_role(context: RequestContext, role: Action | None) -> None:
    user = accounts.get_user(context.registry, context["user"])
    administration.set_role(context.registry, context.actor.name, context["channel"], user, role)


def _list_prefixes(context: RequestContext) -> Any:
    prefixes = administration.get_channel_detail(context.registry, context["channel"]).prefixes
    return [{"prefix": prefix, "owner": owner} for prefix, owner in sorted(prefixes.items())]


def _reserve_prefix(context: RequestContext) -> Any:
    owner = accounts.get_user(context.registry, context["owner"])
    arguments = context["channel"], context["prefix"], owner
    administration.reserve_prefix(context.registry, context.actor.name, *arguments)
    return {"prefix": normalize_name(context["prefix"]), "owner": owner.name}


def _free_prefix(context: RequestContext) -> None:
    arguments = context["channel"], context["prefix"], None
    administration.reserve_prefix(context.registry, context.actor.name, *arguments)


def _list_publishers(context: RequestContext) -> Any:
    found = trusted_publishers.list_publishers(context.registry, context["channel"])
    return [response_schemas.serialize_publisher(publisher) for publisher in found]


def _add_publisher(context: RequestContext) -> Any:
    arguments = context["channel"], context["project"], context["issuer"], context["claims"]
    return response_schemas.serialize_publisher(
        trusted_publishers.add_public_publisher(context.registry, context.actor.name, *arguments)
    )


def _remove_publisher(context: RequestContext) -> None:
    trusted_publishers.remove_publisher(
        context.registry, context.actor.name, context["channel"], context["id"]
    )


def _apply_retention(context: RequestContext) -> Any:
    registry, channel = context.registry, context["channel"]
    rule, label = get_retention(registry, channel), context.get("label", "")
    if {"keep", "days", "label", "max_bytes"} & context.parameters.keys():
        keep = context.get("keep", 0 if label else 1)
        rule = Retention(keep, context.get("days", 0), label, context.get("max_bytes"))
    if rule is None:
        hint = "send 'keep' or 'days', or set the channel's retention rule"
        raise Refused("no-rule", f"'{channel}' has no retention rule", hint, 409)
    dry_run = context.get("dry_run", False)
    deleted = apply_channel_retention(registry, context.actor, channel, rule, dry_run)
    return [response_schemas.serialize_file(file) for file in deleted]


_CHANNEL = "/channels/{channel}"

ENDPOINTS = (
    Endpoint(
        "GET",
        "/channels",
        "list-channels",
        "List channels the caller can read.",
        RequiredRole.LOGIN,
        _list_channels,
        ResponseSpec("Channel", is_list=True),
    ),
    Endpoint(
        "POST",
        "/channels",
        "add-channel",
        "Add a channel; public and owned by the caller by default.",
        RequiredRole.OPERATOR,
        _add_channel,
        ResponseSpec("Channel", status=201),
        FieldSpec(
            {
                "name": parameters.NEW_NAME,
                "owner": parameters.USER,
                "public": flag("whether everybody can read the channel"),
            },
            ("name",),
        ),
    ),
    Endpoint(
        "GET",
        _CHANNEL,
        "show-channel",
        "Show a channel, its owner and its size.",
        RequiredRole.READ,
        _show_channel,
        ResponseSpec("ChannelDetail"),
    ),
    Endpoint(
        "PATCH",
        _CHANNEL,
        "change-channel",
        "Change the settings of a channel; only an operator can change the quota.",
        RequiredRole.ADMIN,
        _change_channel,
        ResponseSpec("ChannelDetail"),
        FieldSpec(
            {
                "public": flag("whether everybody can read the channel"),
                "quota": or_null(number("maximum total size in bytes; null for no limit")),
                "deletion": parameters.DELETION,
                "keep": or_null(parameters.KEEP),
                "keep_days": or_null(parameters.DAYS),
            }
        ),
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/roles",
        "list-roles",
        "List the roles of users and organisations.",
        RequiredRole.ADMIN,
        _list_roles,
        ResponseSpec("Role", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_CHANNEL}/roles/{{user}}",
        "set-role",
        "Give a user or an organisation a role.",
        RequiredRole.ADMIN,
        _set_role,
        ResponseSpec("Role"),
        FieldSpec({"role": parameters.ROLE}, ("role",)),
    ),
    Endpoint(
        "DELETE",
        f"{_CHANNEL}/roles/{{user}}",
        "remove-role",
        "Remove a role.",
        RequiredRole.ADMIN,
        lambda context: _assign_role(context, None),
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/prefixes",
        "list-prefixes",
        "List reserved name prefixes (PEP 752).",
        RequiredRole.READ,
        _list_prefixes,
        ResponseSpec("Prefix", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_CHANNEL}/prefixes/{{prefix}}",
        "reserve-prefix",
        "Reserve a prefix: only its owner can create projects under it.",
        RequiredRole.ADMIN,
        _reserve_prefix,
        ResponseSpec("Prefix"),
        FieldSpec({"owner": parameters.USER}, ("owner",)),
    ),
    Endpoint(
        "DELETE",
        f"{_CHANNEL}/prefixes/{{prefix}}",
        "free-prefix",
        "Release a reserved prefix.",
        RequiredRole.ADMIN,
        _free_prefix,
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/publishers",
        "list-publishers",
        "List trusted publishers.",
        RequiredRole.ADMIN,
        _list_publishers,
        ResponseSpec("Publisher", is_list=True),
    ),
    Endpoint(
        "POST",
        f"{_CHANNEL}/publishers",
        "add-publisher",
        "Allow CI runs with these claims to publish a project.",
        RequiredRole.ADMIN,
        _add_publisher,
        ResponseSpec("Publisher", status=201),
        FieldSpec(
            {
                "project": parameters.PROJECT,
                "issuer": parameters.ADDRESS,
                "claims": mapping(parameters.CLAIM_VALUES, min_items=1),
            },
            ("project", "issuer", "claims"),
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_CHANNEL}/publishers/{{id}}",
        "remove-publisher",
        "Remove a trusted publisher.",
        RequiredRole.ADMIN,
        _remove_publisher,
    ),
    Endpoint(
        "POST",
        f"{_CHANNEL}/retention",
        "retain",
        "Delete old releases by the given retention rule or, by default, by the channel's.",
        RequiredRole.ADMIN,
        _apply_retention,
        ResponseSpec("File", is_list=True),
        FieldSpec(
            {
                "keep": parameters.KEEP,
                "days": parameters.DAYS,
                "label": parameters.LABEL,
                "max_bytes": number("the size that the channel is to have at most", 0),
                "dry_run": parameters.DRY_RUN,
            }
        ),
    ),
)
