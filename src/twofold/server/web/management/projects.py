"""Projects, releases and labels: yank, delete, undelete, status, promotion."""

from __future__ import annotations

from typing import Any

from twofold.errors import Refused
from twofold.server.auth.required_roles import RequiredRole
from twofold.server.registry import labels, lifecycle, queries
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.registry.promotions import Scope, promote_all
from twofold.server.registry.undelete import undelete
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema, flag


def _serialize_files(found: list[Any]) -> Any:
    return [response_schemas.serialize_file(file) for file in found]


def _list_projects(context: RequestContext) -> Any:
    found = queries.list_projects(context.registry, context.actor, context["channel"])
    return [response_schemas.serialize_project(project) for project in found]


def _show_project(context: RequestContext) -> Any:
    arguments = context.actor, context["channel"], context["project"]
    found = queries.get_project(context.registry, *arguments)
    files = queries.list_files(context.registry, found)
    return {"project": response_schemas.serialize_project(found), "files": _serialize_files(files)}


def _delete_release(context: RequestContext) -> Any:
    arguments = context["channel"], context["project"], context.get("version")
    return _serialize_files(lifecycle.delete_release(context.registry, context.actor, *arguments))


def _delete_file(context: RequestContext) -> Any:
    arguments = context["channel"], context.get("subdir", ""), context["file"]
    return response_schemas.serialize_file(
        lifecycle.delete(context.registry, context.actor, *arguments)
    )


def _set_status(context: RequestContext) -> Any:
    arguments = context["channel"], context["project"], context["status"], context.get("reason", "")
    return response_schemas.serialize_project(
        lifecycle.set_status(context.registry, context.actor, *arguments)
    )


def _yank(context: RequestContext) -> Any:
    arguments = (
        context["channel"],
        context["project"],
        context["version"],
        context.get("reason", ""),
    )
    return _serialize_files(lifecycle.yank(context.registry, context.actor, *arguments))


def _unyank(context: RequestContext) -> Any:
    arguments = context["channel"], context["project"], context["version"]
    return _serialize_files(lifecycle.unyank(context.registry, context.actor, *arguments))


def _list_labels(context: RequestContext) -> Any:
    found = labels.list_labels(context.registry, context.actor, context["channel"])
    return [{"label": label, "locked": locked} for label, locked in sorted(found.items())]


def _set_label(context: RequestContext) -> Any:
    arguments = context.actor, context["channel"], context["label"]
    if "locked" in context.parameters:
        labels.lock_label(context.registry, *arguments, context["locked"])
    else:
        labels.add_label(context.registry, *arguments)
    return {"label": context["label"], "locked": context.get("locked", False)}


def _remove_label(context: RequestContext) -> None:
    labels.remove_label(context.registry, context.actor, context["channel"], context["label"])


def _list_labelled(context: RequestContext) -> Any:
    arguments = context.actor, context["channel"], context["label"]
    return _serialize_files(labels.list_labelled_files(context.registry, *arguments))


def _parse_selection(context: RequestContext) -> Selection:
    return Selection(context["project"], context.get("version"), context.get("file"))


def _add_label(context: RequestContext) -> Any:
    arguments = context.actor, context["channel"], context["label"], _parse_selection(context)
    return _serialize_files(labels.add_label(context.registry, *arguments))


def _remove_label_from_files(context: RequestContext) -> Any:
    arguments = context.actor, context["channel"], context["label"], _parse_selection(context)
    return _serialize_files(labels.unlabel(context.registry, *arguments))


def _promote(context: RequestContext) -> Any:
    promotion = Promotion(
        context["source"],
        context["channel"],
        Selection(context.get("project", ""), context.get("version")),
        context.get("from_label"),
        context.get("to_label"),
        context.get("existing", "add"),
    )
    scope = Scope(
        context.get("all", False),
        context.get("with_dependencies", False),
        context.get("dry_run", False),
    )
    if bool(promotion.selection.project) is scope.whole_channel:
        raise Refused("malformed-request", "Name a project, or send 'all': true", status=422)
    return [
        {**response_schemas.serialize_file(one.file), "state": one.state}
        for one in promote_all(context.registry, context.actor, promotion, scope)
    ]


def _undelete(context: RequestContext) -> Any:
    arguments = context["channel"], context["project"], context.get("version")
    return _serialize_files(undelete(context.registry, context.actor, *arguments))


_CHANNEL = "/channels/{channel}"
_PROJECT = f"{_CHANNEL}/projects/{{project}}"
_RELEASE = f"{_PROJECT}/releases/{{version}}"
_LABEL = f"{_CHANNEL}/labels/{{label}}"

_SELECTION: dict[str, Schema] = {
    "project": parameters.PROJECT,
    "version": parameters.VERSION,
    "file": parameters.BASENAME,
}
_FILES = ResponseSpec("File", is_list=True)
ENDPOINTS = (
    Endpoint(
        "GET",
        f"{_CHANNEL}/projects",
        "list-projects",
        "List the projects of a channel.",
        RequiredRole.READ,
        _list_projects,
        ResponseSpec("Project", is_list=True),
    ),
    Endpoint(
        "GET",
        _PROJECT,
        "show-project",
        "Show a project with its PyPI and conda files.",
        RequiredRole.READ,
        _show_project,
        ResponseSpec("ProjectDetail"),
    ),
    Endpoint(
        "DELETE",
        _PROJECT,
        "delete-project",
        "Delete all files of a project, if the channel allows it; filenames are never reused.",
        RequiredRole.UPLOAD,
        _delete_release,
        _FILES,
    ),
    Endpoint(
        "POST",
        f"{_PROJECT}/undelete",
        "undelete-project",
        "Restore the deleted files of a project whose bytes are still there.",
        RequiredRole.ADMIN,
        _undelete,
        _FILES,
    ),
    Endpoint(
        "PUT",
        f"{_PROJECT}/status",
        "set-status",
        "Set a project's status (PEP 792); archived and quarantined projects accept no uploads.",
        RequiredRole.UPLOAD,
        _set_status,
        ResponseSpec("Project"),
        FieldSpec({"status": parameters.STATUS, "reason": parameters.REASON}, ("status",)),
    ),
    Endpoint(
        "DELETE",
        f"{_PROJECT}/files/{{file}}",
        "delete-file",
        "Delete a file and the conda packages converted from it.",
        RequiredRole.UPLOAD,
        _delete_file,
        ResponseSpec("File"),
        query=FieldSpec({"subdir": parameters.SUBDIR}),
    ),
    Endpoint(
        "DELETE",
        _RELEASE,
        "delete-release",
        "Delete a release.",
        RequiredRole.UPLOAD,
        _delete_release,
        _FILES,
    ),
    Endpoint(
        "POST",
        f"{_RELEASE}/undelete",
        "undelete",
        "Restore the deleted files of a release whose bytes are still there.",
        RequiredRole.ADMIN,
        _undelete,
        _FILES,
    ),
    Endpoint(
        "PUT",
        f"{_RELEASE}/yank",
        "yank",
        "Yank a release, both its PyPI and its conda files.",
        RequiredRole.UPLOAD,
        _yank,
        _FILES,
        FieldSpec({"reason": parameters.REASON}),
    ),
    Endpoint(
        "DELETE",
        f"{_RELEASE}/yank",
        "unyank",
        "Undo a yank.",
        RequiredRole.UPLOAD,
        _unyank,
        _FILES,
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/labels",
        "list-labels",
        "List the labels of a channel.",
        RequiredRole.READ,
        _list_labels,
        ResponseSpec("Label", is_list=True),
    ),
    Endpoint(
        "PUT",
        _LABEL,
        "set-label",
        "Create a label; locking or unlocking it requires the role admin.",
        RequiredRole.UPLOAD,
        _set_label,
        ResponseSpec("Label"),
        FieldSpec({"locked": flag("a locked label accepts and releases no files")}),
    ),
    Endpoint(
        "DELETE",
        _LABEL,
        "remove-label",
        "Remove a label; its files keep their other labels.",
        RequiredRole.UPLOAD,
        _remove_label,
    ),
    Endpoint(
        "GET",
        f"{_LABEL}/files",
        "list-labelled",
        "List the files under a label.",
        RequiredRole.READ,
        _list_labelled,
        _FILES,
    ),
    Endpoint(
        "POST",
        f"{_LABEL}/files",
        "label",
        "Add a label to files of a project.",
        RequiredRole.UPLOAD,
        _add_label,
        _FILES,
        FieldSpec(_SELECTION, ("project",)),
    ),
    Endpoint(
        "DELETE",
        f"{_LABEL}/files",
        "unlabel",
        "Remove a label from files of a project.",
        RequiredRole.UPLOAD,
        _remove_label_from_files,
        _FILES,
        query=FieldSpec(_SELECTION, ("project",)),
    ),
    Endpoint(
        "POST",
        f"{_CHANNEL}/promotions",
        "promote",
        "Promote files from a label of a channel to a label of this one, without copying.",
        RequiredRole.UPLOAD,
        _promote,
        ResponseSpec("PromotedFile", is_list=True),
        FieldSpec(
            {
                "source": {**parameters.CHANNEL, "description": "channel to take files from"},
                "project": parameters.PROJECT,
                "version": parameters.VERSION,
                "from_label": parameters.LABEL,
                "to_label": parameters.LABEL,
                "existing": {"type": "string", "enum": ["refuse", "add", "keep", "replace"]},
                "all": flag("every project of the source, in place of 'project'"),
                "with_dependencies": flag("and what it requires, where this channel has none"),
                "dry_run": flag("report what would be promoted without doing it"),
            },
            ("source",),
            ("project", "all"),
        ),
    ),
)
