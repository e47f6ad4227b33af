"""What a channel takes of its upstreams: the policy, what was refused; and what waits here."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.proxy import config
from twofold.server.proxy.policy import Policy, parse_policy
from twofold.server.proxy.policy.refusals import list_refusals
from twofold.server.registry import conversion
from twofold.server.web.management import parameters
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema, flag, list_of, number, text
from twofold.server.web.management.response_schemas import (
    COUNT,
    FLAG,
    TEXT,
    TEXTS,
    object_schema,
)

#: The kind of upstream that has a policy.
_PYPI = "pypi"

#: The most refused files that are listed.
MAX_REFUSALS = 500

SCHEMAS: dict[str, dict[str, Any]] = {
    "Policy": object_schema(
        min_age=COUNT,
        at_once=TEXTS,
        allow=TEXTS,
        deny=TEXTS,
        wheels_only=FLAG,
        licenses=TEXTS,
        advisories=TEXT,
        accept=TEXTS,
        approval=FLAG,
        exceptions=TEXTS,
    ),
    "Refusal": object_schema(file=TEXT, project=TEXT, upstream=TEXT, reason=TEXT),
    "Conversion": object_schema(
        converted=TEXTS, missing={"type": "object", "additionalProperties": TEXT}
    ),
}


def _show_policy(context: RequestContext) -> Any:
    words = context["channel"], _PYPI, context.get("name", config.DEFAULT)
    found = asdict(parse_policy(config.upstream_for(context.registry, *words).policy))
    return {name: list(one) if isinstance(one, tuple) else one for name, one in found.items()}


def _set_policy(context: RequestContext) -> Any:
    """Change conditions. Where advisories are read from is set on the server's machine only."""
    name = context.get("name", config.DEFAULT)
    upstream = config.upstream_for(context.registry, context["channel"], _PYPI, name)
    given = {key: context[key] for key in _CONDITIONS if key in context.parameters}
    changes: dict[str, Any] = {
        key: tuple(one) if isinstance(one, list) else one for key, one in given.items()
    }
    policy: Policy = replace(parse_policy(upstream.policy), **changes)
    config.set_policy(context.registry, context.actor.name, context["channel"], policy, name)
    return _show_policy(context)


def _list_refusals(context: RequestContext) -> Any:
    return [
        {
            "file": pin.filename,
            "project": pin.key,
            "upstream": pin.upstream,
            "reason": refusal.message,
        }
        for pin, refusal in list_refusals(context.registry, context["channel"], MAX_REFUSALS)
    ]


def _convert_waiting(context: RequestContext) -> Any:
    made, missing = conversion.reconvert_all(context.registry, context["channel"])
    return {"converted": [file.basename for file in made], "missing": missing}


_REQUIREMENTS = text("a name, or one with versions: spam<2", max_length=200, min_length=1)
_CONDITIONS: dict[str, Schema] = {
    "min_age": number("days since the upload", 0, 3650),
    "at_once": list_of(_REQUIREMENTS, "projects without a minimum age", max_items=1000),
    "allow": list_of(_REQUIREMENTS, "take these alone", max_items=10_000),
    "deny": list_of(_REQUIREMENTS, "refuse these", max_items=10_000),
    "wheels_only": flag("refuse sdists"),
    "licenses": list_of(
        text("SPDX identifier", max_length=100, min_length=1), "take these licences alone"
    ),
    "accept": list_of(
        text("id of an advisory", max_length=100, min_length=1),
        "advisories that do not count",
        max_items=1000,
    ),
    "approval": flag("take only names that an administrator granted"),
    "exceptions": list_of(_REQUIREMENTS, "take these whatever else is set", max_items=1000),
}

_POLICY = "/channels/{channel}/policy"

ENDPOINTS = (
    Endpoint(
        "GET",
        _POLICY,
        "show-upstream-policy",
        "Show which files of its index the channel takes.",
        RequiredRole.ADMIN,
        _show_policy,
        ResponseSpec("Policy"),
        query=FieldSpec({"name": parameters.UPSTREAM}),
    ),
    Endpoint(
        "PATCH",
        _POLICY,
        "set-upstream-policy",
        "Change which files of its index the channel takes; what was fetched stays.",
        RequiredRole.OPERATOR,
        _set_policy,
        ResponseSpec("Policy"),
        FieldSpec(_CONDITIONS),
        FieldSpec({"name": parameters.UPSTREAM}),
    ),
    Endpoint(
        "GET",
        "/channels/{channel}/refusals",
        "list-refusals",
        "List the files of upstreams that were asked for, and refused for what they hold.",
        RequiredRole.ADMIN,
        _list_refusals,
        ResponseSpec("Refusal", is_list=True),
    ),
    Endpoint(
        "POST",
        "/channels/{channel}/conversions",
        "convert-waiting",
        "Convert the wheels that could not be converted when they were uploaded.",
        RequiredRole.ADMIN,
        _convert_waiting,
        ResponseSpec("Conversion"),
    ),
)
