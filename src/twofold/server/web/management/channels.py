"""Channels: their rules, roles, private prefixes, trusted publishers, upstreams and retention."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused
from twofold.names import normalize_name
from twofold.server.auth import accounts, trusted_publishers
from twofold.server.auth.required_roles import RequiredRole, require_operator
from twofold.server.model import Action
from twofold.server.pages.channel_page_options import MAX_URL_LENGTH, parse_base_url
from twofold.server.registry import administration
from twofold.server.registry.channel_retention import (
    apply_retentions,
    list_retentions,
    parse_retention,
)
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import (
    choice,
    flag,
    list_of,
    mapping,
    number,
    or_null,
    text,
)

#: What an operator alone can change: the disk's use, and where files are fetched from.
OPERATORS_RULES = ("quota", "undelete_days", "base_url", "redirect")
RULES = {
    "public": flag("whether everybody can read the channel"),
    "quota": or_null(number("maximum total size in bytes")),
    "deletion": parameters.DELETION,
    "keep": or_null(parameters.KEEP),
    "keep_days": or_null(parameters.DAYS),
    "keep_label_days": parameters.LABEL_DAYS,
    "keep_bytes": or_null(parameters.MAX_BYTES),
    "undelete_days": or_null(number("days for which deleted files can be restored", 0, 100_000)),
    "allowed_names": list_of(
        parameters.PROJECT, "names that may be begun although they look like another"
    ),
    "base_url": or_null(text("where conda fetches packages", max_length=MAX_URL_LENGTH)),
    "v3": flag("whether /CHANNEL/v3 lists wheels"),
    "redirect": flag("whether readers of files are sent to the object store"),
    "lazy": flag("whether /CHANNEL/lazy lists what nobody fetched"),
    "images": choice("whether images of descriptions are shown", "blocked", "proxied"),
    "prefer": choice("whose packages /lazy lists of a name that both have", "conda-forge", "own"),
    "offered_releases": number("releases of each project that are offered", 1, 100),
}


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
    given = {name: context[name] for name in RULES if name in context.parameters}
    for name in OPERATORS_RULES:
        if name in given:
            require_operator(context.actor, name)
    if "allowed_names" in given:
        given["allowed_names"] = sorted(set(map(normalize_name, given["allowed_names"])))
    if given.get("base_url") is not None:
        try:
            given["base_url"] = parse_base_url(given["base_url"])
        except ValueError as error:
            raise Refused("malformed-request", f"'base_url' must be {error}") from None
    rules = {name.replace("_", "-"): value for name, value in given.items()}
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
    given = parse_retention(*map(context.get, ("keep", "days", "label", "max_bytes")))
    rules = list_retentions(registry, channel) if given is None else [given]
    if not rules:
        hint = "send 'keep', 'days' or 'max_bytes', or set a retention rule of the channel"
        raise Refused("no-rule", f"'{channel}' has no retention rule", hint, 409)
    dry_run = context.get("dry_run", False)
    deleted = apply_retentions(registry, context.actor, channel, rules, dry_run)
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
                "public": {**flag("whether everybody can read the channel"), "default": True},
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
        "Change the rules of a channel; only an operator can change quota, undelete_days, "
        "base_url and redirect.",
        RequiredRole.ADMIN,
        _change_channel,
        ResponseSpec("ChannelDetail"),
        FieldSpec(RULES),
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
        "Delete old releases by the given retention rule or, by default, by all of the channel's.",
        RequiredRole.ADMIN,
        _apply_retention,
        ResponseSpec("File", is_list=True),
        FieldSpec(
            {
                "keep": parameters.KEEP,
                "days": parameters.DAYS,
                "label": parameters.LABEL,
                "max_bytes": parameters.MAX_BYTES,
                "dry_run": parameters.DRY_RUN,
            }
        ),
    ),
)
