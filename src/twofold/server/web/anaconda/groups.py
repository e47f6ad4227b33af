"""Groups and collaborators: the roles of a channel, as the client's commands name them.

A channel has three groups, `read`, `upload` and `admin`: the users with that role. A role
applies to the whole channel, so a package has no collaborators of its own; its list has the users
who can upload to the channel.
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
from twofold.server.registry.browsing.search import list_channel_projects
from twofold.server.web.anaconda import serializers
from twofold.server.web.anaconda.owners import get_channel_name, require_login
from twofold.server.web.credentials import authenticate, get_registry

#: Anaconda.org's name of a permission -> role; our own names are accepted too.
_ROLES = {"write": Action.UPLOAD, **{action.value: action for action in Action}}


def _require_channel(request: Request, action: Action) -> Channel:
    """Return the channel if the caller is logged in and has the permission."""
    require_login(authenticate(request))
    return queries.get_channel(
        get_registry(request), authenticate(request), get_channel_name(request), action
    )


def _parse_role(request: Request) -> Action:
    name = request.path_params["group"]
    if name not in _ROLES:
        raise Refused(
            "no-group",
            f"Unknown group {name[:100]!a}",
            f"a channel's groups are its roles: {', '.join(Action)}",
            404,
        )
    return _ROLES[name]


def _get_members(request: Request, channel: Channel) -> dict[str, Action]:
    found = administration.get_channel_detail(get_registry(request), channel.name)
    return {**found.roles, found.owner: Action.ADMIN}


def list_groups(request: Request) -> Response:
    """List the groups with the number of their members."""
    members = _get_members(request, _require_channel(request, Action.ADMIN))
    count = {role: sum(own is role for own in members.values()) for role in Action}
    groups = [{"name": r.value, "permission": r.value, "members_count": count[r]} for r in Action]
    return JSONResponse({"groups": groups})


def show_group(request: Request) -> Response:
    """Show a group and its members."""
    channel, role = _require_channel(request, Action.ADMIN), _parse_role(request)
    members = _get_members(request, channel)
    mine = sorted(name for name, own in members.items() if own is role)
    return JSONResponse({"name": role.value, "permission": role.value, "members": mine})


def list_members(request: Request) -> Response:
    """List the members of a group."""
    channel, role = _require_channel(request, Action.ADMIN), _parse_role(request)
    found = _get_members(request, channel)
    return JSONResponse(
        [{"login": name, "name": name} for name, own in sorted(found.items()) if own is role]
    )


def check_member(request: Request) -> Response:
    """Report whether a user is a member (204), or not (404)."""
    channel, role = _require_channel(request, Action.ADMIN), _parse_role(request)
    if _get_members(request, channel).get(request.path_params["member"]) is not role:
        raise not_found("such member")
    return Response(None, 204)


def add_member(request: Request) -> Response:
    """Give a user the group's role."""
    _require_channel(request, Action.ADMIN)
    return _set_role(request, _parse_role(request))


def remove_member(request: Request) -> Response:
    """Remove a user's role."""
    check_member(request)
    return _set_role(request, None)


def _set_role(request: Request, role: Action | None) -> Response:
    channel = _require_channel(request, Action.ADMIN)
    registry, actor = get_registry(request), authenticate(request)
    member = accounts.get_user(registry, request.path_params["member"])
    administration.set_role(registry, actor.name, channel.name, member, role)
    return Response(None, 204)


def refuse_new_group(request: Request) -> Response:
    """Refuse to create a group or to grant it a single package."""
    _require_channel(request, Action.ADMIN)
    raise Refused(
        "no-new-groups",
        "The only groups are the roles read, upload and admin of the channel",
        "anaconda org groups add_member OWNER/upload/USER",
    )


def list_packages(request: Request) -> Response:
    """List the group's packages: a role applies to all packages of the channel."""
    channel, _ = _require_channel(request, Action.ADMIN), _parse_role(request)
    registry, actor = get_registry(request), authenticate(request)
    hits = list_channel_projects(registry, actor, channel.name)
    return JSONResponse([serializers.serialize_hit(hit) for hit in hits])


def list_collaborators(request: Request) -> Response:
    """List the users who can upload the package."""
    channel = _require_channel(request, Action.UPLOAD)
    queries.get_project(
        get_registry(request), authenticate(request), channel.name, request.path_params["name"]
    )
    found = _get_members(request, channel)
    uploaders = sorted(name for name, role in found.items() if role.includes(Action.UPLOAD))
    return JSONResponse([{"login": name, "name": name} for name in uploaders])


def refuse_collaborator(request: Request) -> Response:
    """Refuse collaborators of a single package."""
    _require_channel(request, Action.ADMIN)
    owner = request.path_params["owner"]
    raise Refused(
        "no-collaborators",
        "Roles are granted for a channel, not for a package",
        f"anaconda org groups add_member {owner[:60]}/upload/USER",
    )


_GROUP = "/api/group/{owner}/{group}"
_COLLABORATORS = "/api/packages/{owner}/{name}/collaborators"

routes = [
    Route("/api/groups/{owner}", list_groups),
    Route(_GROUP, show_group),
    Route(_GROUP, refuse_new_group, methods=["POST", "PUT", "DELETE"]),
    Route(f"{_GROUP}/members", list_members),
    Route(f"{_GROUP}/members/{{member}}", check_member),
    Route(f"{_GROUP}/members/{{member}}", add_member, methods=["PUT"]),
    Route(f"{_GROUP}/members/{{member}}", remove_member, methods=["DELETE"]),
    Route(f"{_GROUP}/packages", list_packages),
    Route(f"{_GROUP}/packages/{{name}}", refuse_new_group, methods=["PUT", "DELETE"]),
    Route(_COLLABORATORS, list_collaborators),
    Route(f"{_COLLABORATORS}/{{member}}", refuse_collaborator, methods=["PUT", "DELETE"]),
]
