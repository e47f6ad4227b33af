"""Groups and collaborators: the roles of a channel, as the client's commands name them.

A channel has three groups, `read`, `upload` and `admin`: their members are those with that role. A
role is good for the whole channel, so a package has no collaborators of its own; listed are those
who may upload to its channel.
"""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from twofold.errors import Refused
from twofold.server.auth import accounts
from twofold.server.context import not_found
from twofold.server.model import Action, Channel
from twofold.server.registry import administration, queries
from twofold.server.web.anaconda import serializers
from twofold.server.web.anaconda.owners import get_channel_name, require_login
from twofold.server.web.credentials import authenticate, get_registry

#: Anaconda.org's word for a right -> ours; ours are good, too.
_ROLES = {"write": Action.UPLOAD, **{action.value: action for action in Action}}


def _channel(request: Request, action: Action) -> Channel:
    """The channel, for somebody logged in who may do this there."""
    require_login(authenticate(request))
    return queries.get_channel(
        get_registry(request), authenticate(request), get_channel_name(request), action
    )


def _role(request: Request) -> Action:
    name = request.path_params["group"]
    if name not in _ROLES:
        raise Refused(
            "no-group",
            f"There is no group {name[:100]!a}",
            f"a channel's groups are its roles: {', '.join(Action)}",
            404,
        )
    return _ROLES[name]


def _members(request: Request, channel: Channel) -> dict[str, Action]:
    found = administration.get_channel_detail(get_registry(request), channel.name)
    return {**found.roles, found.owner: Action.ADMIN}


def list_all(request: Request) -> Response:
    members = _members(request, _channel(request, Action.ADMIN))
    count = {role: sum(own is role for own in members.values()) for role in Action}
    groups = [{"name": r.value, "permission": r.value, "members_count": count[r]} for r in Action]
    return JSONResponse({"groups": groups})


def show(request: Request) -> Response:
    channel, role = _channel(request, Action.ADMIN), _role(request)
    members = _members(request, channel)
    mine = sorted(name for name, own in members.items() if own is role)
    return JSONResponse({"name": role.value, "permission": role.value, "members": mine})


def members(request: Request) -> Response:
    channel, role = _channel(request, Action.ADMIN), _role(request)
    found = _members(request, channel)
    return JSONResponse(
        [{"login": name, "name": name} for name, own in sorted(found.items()) if own is role]
    )


def is_member(request: Request) -> Response:
    channel, role = _channel(request, Action.ADMIN), _role(request)
    if _members(request, channel).get(request.path_params["member"]) is not role:
        raise not_found("such member")
    return Response(None, 204)


def add_member(request: Request) -> Response:
    _channel(request, Action.ADMIN)
    return _set_role(request, _role(request))


def remove_member(request: Request) -> Response:
    is_member(request)
    return _set_role(request, None)


def _set_role(request: Request, role: Action | None) -> Response:
    channel = _channel(request, Action.ADMIN)
    registry, actor = get_registry(request), authenticate(request)
    who = accounts.get_user(registry, request.path_params["member"])
    administration.set_role(registry, actor.name, channel.name, who, role)
    return Response(None, 204)


def no_new_groups(request: Request) -> Response:
    """Making a group, or giving one a single package."""
    _channel(request, Action.ADMIN)
    raise Refused(
        "no-new-groups",
        "Groups are the roles read, upload and admin of the whole channel",
        "anaconda org groups add_member OWNER/upload/USER",
    )


def packages(request: Request) -> Response:
    """A role is good for every package."""
    channel, _ = _channel(request, Action.ADMIN), _role(request)
    hits = queries.list_channel_projects(get_registry(request), authenticate(request), channel.name)
    return JSONResponse([serializers.serialize_hit(hit) for hit in hits])


def collaborators(request: Request) -> Response:
    channel = _channel(request, Action.UPLOAD)
    queries.get_project(
        get_registry(request), authenticate(request), channel.name, request.path_params["name"]
    )
    found = _members(request, channel)
    may = sorted(name for name, role in found.items() if role.includes(Action.UPLOAD))
    return JSONResponse([{"login": name, "name": name} for name in may])


def no_collaborators(request: Request) -> Response:
    _channel(request, Action.ADMIN)
    owner = request.path_params["owner"]
    raise Refused(
        "no-collaborators",
        "Rights are given for a channel, not for a package",
        f"anaconda org groups add_member {owner[:60]}/upload/USER",
    )


_GROUP = "/api/group/{owner}/{group}"
_COLLABORATORS = "/api/packages/{owner}/{name}/collaborators"

routes = [
    Route("/api/groups/{owner}", list_all),
    Route(_GROUP, show),
    Route(_GROUP, no_new_groups, methods=["POST", "PUT", "DELETE"]),
    Route(f"{_GROUP}/members", members),
    Route(f"{_GROUP}/members/{{member}}", is_member),
    Route(f"{_GROUP}/members/{{member}}", add_member, methods=["PUT"]),
    Route(f"{_GROUP}/members/{{member}}", remove_member, methods=["DELETE"]),
    Route(f"{_GROUP}/packages", packages),
    Route(f"{_GROUP}/packages/{{name}}", no_new_groups, methods=["PUT", "DELETE"]),
    Route(_COLLABORATORS, collaborators),
    Route(f"{_COLLABORATORS}/{{member}}", no_collaborators, methods=["PUT", "DELETE"]),
]
