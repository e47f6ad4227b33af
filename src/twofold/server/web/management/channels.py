"""Channels: their rules, roles, private prefixes, trusted publishers, upstreams and retention."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused, Unreachable
from twofold.names import normalised
from twofold.server.model import Action
from twofold.server.registry import administration, people, trust, upstreaming
from twofold.server.registry.administration import Retention
from twofold.server.registry.managing import Needs, demand_operator
from twofold.server.web.management import shapes, words
from twofold.server.web.management.calls import Answer, Asked, Call, Fields
from twofold.server.web.management.schema import flag, mapping, number, or_null

#: What the address calls a rule -> what the channel calls it.
_RULES = {"quota": "quota", "deletion": "deletion", "keep": "keep", "keep_days": "keep-days"}


def _channels(asked: Asked) -> Any:
    return [
        shapes.channel(channel)
        for channel in administration.readable_channels(asked.registry, asked.actor)
    ]


def _add(asked: Asked) -> Any:
    registry, actor = asked.registry, asked.actor
    owner = people.user(registry, asked.get("owner", actor.name))
    given = asked["name"], owner, asked.get("public", True)
    return shapes.channel(people.add_channel(registry, actor.name, *given))


def _channel(asked: Asked) -> Any:
    detail = administration.channel_detail(asked.registry, asked["channel"])
    return {
        "channel": shapes.channel(detail.channel),
        "owner": detail.owner,
        "bytes": detail.size,
    }


def _change(asked: Asked) -> Any:
    if "quota" in asked.words:
        demand_operator(asked.actor, "quota")
    rules = {rule: asked[name] for name, rule in _RULES.items() if name in asked.words}
    if "public" in asked.words:
        rules["public"] = asked["public"]
    administration.set_rules(asked.registry, asked.actor.name, asked["channel"], rules)
    return _channel(asked)


def _roles(asked: Asked) -> Any:
    roles = administration.channel_detail(asked.registry, asked["channel"]).roles
    return [shapes.role(name, role) for name, role in sorted(roles.items())]


def _set_role(asked: Asked) -> Any:
    role = Action(asked["role"])
    _role(asked, role)
    return shapes.role(asked["user"], role)


def _role(asked: Asked, role: Action | None) -> None:
    who = people.user(asked.registry, asked["user"])
    administration.set_role(asked.registry, asked.actor.name, asked["channel"], who, role)


def _prefixes(asked: Asked) -> Any:
    prefixes = administration.channel_detail(asked.registry, asked["channel"]).prefixes
    return [{"prefix": prefix, "owner": owner} for prefix, owner in sorted(prefixes.items())]


def _set_prefix(asked: Asked) -> Any:
    owner = people.user(asked.registry, asked["owner"])
    given = asked["channel"], asked["prefix"], owner
    administration.reserve_prefix(asked.registry, asked.actor.name, *given)
    return {"prefix": normalised(asked["prefix"]), "owner": owner.name}


def _free_prefix(asked: Asked) -> None:
    given = asked["channel"], asked["prefix"], None
    administration.reserve_prefix(asked.registry, asked.actor.name, *given)


def _publishers(asked: Asked) -> Any:
    found = trust.publishers(asked.registry, asked["channel"])
    return [shapes.publisher(publisher) for publisher in found]


def _add_publisher(asked: Asked) -> Any:
    given = asked["channel"], asked["project"], asked["issuer"], asked["claims"]
    return shapes.publisher(trust.add_publisher(asked.registry, asked.actor.name, *given))


def _remove_publisher(asked: Asked) -> None:
    trust.remove_publisher(asked.registry, asked.actor.name, asked["channel"], asked["id"])


def _upstreams(asked: Asked) -> Any:
    return [
        {"kind": one.kind, "url": one.url, "private_prefixes": list(one.prefixes)}
        for channel, one in upstreaming.all_of(asked.registry)
        if channel == asked["channel"]
    ]


def _set_upstream(asked: Asked) -> Any:
    """An address inside the operator's network is named on the machine itself, never over HTTP."""
    prefixes = tuple(asked.get("private_prefixes", ()))
    front = upstreaming.Front(asked["url"], asked["kind"], prefixes)
    try:
        upstreaming.demand_public(asked["url"])
        added = upstreaming.add(asked.registry, asked.actor.name, asked["channel"], front)
    except Unreachable as error:
        raise Refused("unreachable", error.problems[0].message, status=409) from error
    except Refused as error:
        if error.status < 500:
            raise
        # An address that cannot be fetched from: here the caller's own, not an upstream's answer.
        problem = error.problems[0]
        raise Refused(error.code, problem.message, problem.hint or "", 400) from error
    return {"kind": added.kind, "url": added.url, "private_prefixes": list(added.prefixes)}


def _remove_upstream(asked: Asked) -> None:
    upstreaming.remove(asked.registry, asked.actor.name, asked["channel"], asked["kind"])


def _retain(asked: Asked) -> Any:
    registry, channel = asked.registry, asked["channel"]
    rule = administration.retention_of(registry, channel)
    if "keep" in asked.words:
        rule = Retention(asked["keep"], asked.get("days", 0))
    if rule is None:
        hint = "give keep, or set the channel's rule"
        raise Refused("no-rule", f"'{channel}' has no rule of what to keep", hint, 409)
    dry_run = asked.get("dry_run", False)
    gone = administration.retain(registry, asked.actor, channel, rule, dry_run)
    return [shapes.file(file) for file in gone]


_HERE = "/channels/{channel}"

CALLS = (
    Call(
        "GET",
        "/channels",
        "list-channels",
        "The channels that who asks may read.",
        Needs.LOGIN,
        _channels,
        Answer("Channel", is_list=True),
    ),
    Call(
        "POST",
        "/channels",
        "add-channel",
        "Add a channel; it is public and belongs to who asks, unless said.",
        Needs.OPERATOR,
        _add,
        Answer("Channel", status=201),
        Fields(
            {"name": words.NEW_NAME, "owner": words.USER, "public": flag("all may read")}, ("name",)
        ),
    ),
    Call(
        "GET",
        _HERE,
        "show-channel",
        "A channel, its owner and its size.",
        Needs.READ,
        _channel,
        Answer("ChannelDetail"),
    ),
    Call(
        "PATCH",
        _HERE,
        "change-channel",
        "Change rules of a channel; the quota is for operators.",
        Needs.ADMIN,
        _change,
        Answer("ChannelDetail"),
        Fields(
            {
                "public": flag("all may read"),
                "quota": or_null(number("bytes; null: no limit")),
                "deletion": words.DELETION,
                "keep": or_null(words.KEEP),
                "keep_days": or_null(words.DAYS),
            }
        ),
    ),
    Call(
        "GET",
        f"{_HERE}/roles",
        "list-roles",
        "Who has which role.",
        Needs.ADMIN,
        _roles,
        Answer("Role", is_list=True),
    ),
    Call(
        "PUT",
        f"{_HERE}/roles/{{user}}",
        "set-role",
        "Give a user or an organisation a role.",
        Needs.ADMIN,
        _set_role,
        Answer("Role"),
        Fields({"role": words.ROLE}, ("role",)),
    ),
    Call(
        "DELETE",
        f"{_HERE}/roles/{{user}}",
        "remove-role",
        "Take a role away.",
        Needs.ADMIN,
        lambda asked: _role(asked, None),
    ),
    Call(
        "GET",
        f"{_HERE}/prefixes",
        "list-prefixes",
        "Private prefixes of names (PEP 752).",
        Needs.READ,
        _prefixes,
        Answer("Prefix", is_list=True),
    ),
    Call(
        "PUT",
        f"{_HERE}/prefixes/{{prefix}}",
        "reserve-prefix",
        "Reserve names under a prefix: only its owner begins projects there.",
        Needs.ADMIN,
        _set_prefix,
        Answer("Prefix"),
        Fields({"owner": words.USER}, ("owner",)),
    ),
    Call(
        "DELETE",
        f"{_HERE}/prefixes/{{prefix}}",
        "free-prefix",
        "Reserve a prefix no longer.",
        Needs.ADMIN,
        _free_prefix,
    ),
    Call(
        "GET",
        f"{_HERE}/publishers",
        "list-publishers",
        "Trusted publishers.",
        Needs.ADMIN,
        _publishers,
        Answer("Publisher", is_list=True),
    ),
    Call(
        "POST",
        f"{_HERE}/publishers",
        "add-publisher",
        "Trust CI runs with these claims to publish a project.",
        Needs.ADMIN,
        _add_publisher,
        Answer("Publisher", status=201),
        Fields(
            {
                "project": words.PROJECT,
                "issuer": words.ADDRESS,
                "claims": mapping(words.CLAIM_VALUES, least=1),
            },
            ("project", "issuer", "claims"),
        ),
    ),
    Call(
        "DELETE",
        f"{_HERE}/publishers/{{id}}",
        "remove-publisher",
        "Trust these runs no longer.",
        Needs.ADMIN,
        _remove_publisher,
    ),
    Call(
        "GET",
        f"{_HERE}/upstreams",
        "list-upstreams",
        "What the channel stands in front of.",
        Needs.ADMIN,
        _upstreams,
        Answer("Upstream", is_list=True),
    ),
    Call(
        "PUT",
        f"{_HERE}/upstreams/{{kind}}",
        "set-upstream",
        "Put the channel in front of a public index or channel.",
        Needs.OPERATOR,
        _set_upstream,
        Answer("Upstream"),
        Fields({"url": words.ADDRESS, "private_prefixes": words.PREFIXES}, ("url",)),
    ),
    Call(
        "DELETE",
        f"{_HERE}/upstreams/{{kind}}",
        "remove-upstream",
        "Ask it no more; what was fetched stays.",
        Needs.OPERATOR,
        _remove_upstream,
    ),
    Call(
        "POST",
        f"{_HERE}/retention",
        "retain",
        "Delete old releases by the rule given, or by the channel's own.",
        Needs.ADMIN,
        _retain,
        Answer("File", is_list=True),
        Fields({"keep": words.KEEP, "days": words.DAYS, "dry_run": words.DRY_RUN}),
    ),
)
