"""Upstreams of channels: an order of indexes and conda channels behind each."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from twofold.errors import Refused, Unreachable
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.proxy import config
from twofold.server.registry import approvals
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)

_CHANNEL = "/channels/{channel}"


def _list_upstreams(context: RequestContext) -> Any:
    return [
        response_schemas.serialize_upstream(one)
        for channel, one in config.list_all(context.registry)
        if channel == context["channel"]
    ]


def _set_upstream(context: RequestContext) -> Any:
    """Set an upstream. Internal addresses can only be set with `twofold admin`, never over HTTP."""
    prefixes = tuple(context.get("private_prefixes", ()))
    front = config.UpstreamConfig(
        context["url"],
        context["kind"],
        prefixes,
        name=context.get("name", config.DEFAULT),
        before=context.get("before"),
        only=tuple(context.get("only", ())),
        max_age=context.get("max_age"),
    )
    try:
        config.check_public(context["url"])
        added = config.add(context.registry, context.actor.name, context["channel"], front)
    except Unreachable as error:
        raise Refused("unreachable", error.problems[0].message, status=409) from error
    except Refused as error:
        if error.status < 500:
            raise
        # The URL is the caller's mistake here, not an upstream's failure.
        problem = error.problems[0]
        raise Refused(error.code, problem.message, problem.hint or "", 400) from error
    return response_schemas.serialize_upstream(added)


def _remove_upstream(context: RequestContext) -> None:
    name = context.get("name", config.DEFAULT)
    config.remove(context.registry, context.actor.name, context["channel"], context["kind"], name)


def _ask(context: RequestContext) -> None:
    words = context["channel"], context["project"], context.get("reason", "")
    approvals.ask(context.registry, context.actor, *words)


def _list_requests(context: RequestContext) -> Any:
    found = approvals.list_requests(context.registry, context.actor, context["channel"])
    return [asdict(one) for one in found]


def _grant(context: RequestContext) -> None:
    words = context["channel"], [context["project"]]
    approvals.grant(context.registry, context.actor, *words)


def _withdraw(context: RequestContext) -> None:
    words = context["channel"], [context["project"]]
    approvals.withdraw(context.registry, context.actor, *words)


def _list_approvals(context: RequestContext) -> Any:
    return approvals.list_granted(context.registry, context.actor, context["channel"])


ENDPOINTS = (
    Endpoint(
        "POST",
        f"{_CHANNEL}/requests",
        "ask",
        "Ask for a project of the upstream, where the channel's policy asks for approval.",
        RequiredRole.READ,
        _ask,
        body=FieldSpec(
            {"project": parameters.PROJECT, "reason": parameters.REASON_OF_REQUEST}, ("project",)
        ),
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/requests",
        "list-requests",
        "List the projects that readers requested and that are not granted yet.",
        RequiredRole.ADMIN,
        _list_requests,
        ResponseSpec("ApprovalRequest", is_list=True),
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/approvals",
        "list-approvals",
        "List the granted projects.",
        RequiredRole.READ,
        _list_approvals,
        ResponseSpec("ProjectName", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_CHANNEL}/approvals/{{project}}",
        "grant",
        "Grant a project of the upstream.",
        RequiredRole.ADMIN,
        _grant,
    ),
    Endpoint(
        "DELETE",
        f"{_CHANNEL}/approvals/{{project}}",
        "withdraw-approval",
        "Take back a granted project, or drop a request; what was fetched stays.",
        RequiredRole.ADMIN,
        _withdraw,
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/upstreams",
        "list-upstreams",
        "List the upstreams of a channel.",
        RequiredRole.ADMIN,
        _list_upstreams,
        ResponseSpec("Upstream", is_list=True),
    ),
    Endpoint(
        "PUT",
        f"{_CHANNEL}/upstreams/{{kind}}",
        "set-upstream",
        "Set a public index or channel as an upstream of the channel.",
        RequiredRole.OPERATOR,
        _set_upstream,
        ResponseSpec("Upstream"),
        FieldSpec(
            {
                "url": parameters.ADDRESS,
                "private_prefixes": parameters.PREFIXES,
                "name": parameters.UPSTREAM,
                "before": parameters.UPSTREAM,
                "only": parameters.OWN_NAMES,
                "max_age": parameters.MAX_AGE,
            },
            ("url",),
        ),
    ),
    Endpoint(
        "DELETE",
        f"{_CHANNEL}/upstreams/{{kind}}",
        "remove-upstream",
        "Remove an upstream; files already fetched stay.",
        RequiredRole.OPERATOR,
        _remove_upstream,
        query=FieldSpec({"name": parameters.UPSTREAM}),
    ),
)
