"""Projects, releases and labels: yank, delete, status, promotion; and the audit log."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.registry import administration, labels, lifecycle, queries
from twofold.server.registry.administration import AuditEntry, AuditQuery
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.web.management import parameters, response_schemas
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema, flag, text


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
        Selection(context["project"], context.get("version")),
        context.get("from_label"),
        context.get("to_label"),
        context.get("existing", "add"),
    )
    return _serialize_files(labels.promote(context.registry, context.actor, promotion))


def _read_log(context: RequestContext) -> list[AuditEntry]:
    span = AuditQuery(
        context.get("channel"),
        context.get("actor"),
        context.get("action"),
        context.get("after", 0),
        context.get("limit", 1000),
    )
    return administration.read_changes(context.registry, span)


def _show_log(context: RequestContext) -> Any:
    return [response_schemas.serialize_change(change) for change in _read_log(context)]


def _export_log(context: RequestContext) -> str:
    return administration.as_csv(_read_log(context))


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
_LOG: dict[str, Schema] = {
    "actor": text("the user who made the change", max_length=500),
    "action": text("the action that was logged", r"[a-z-]*", max_length=100),
    "after": parameters.AFTER,
    "limit": parameters.LIMIT,
}
_CHANGES, _CSV = ResponseSpec("Change", is_list=True), ResponseSpec(media="text/csv")

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
        _FILES,
        FieldSpec(
            {
                "source": parameters.CHANNEL,
                "project": parameters.PROJECT,
                "version": parameters.VERSION,
                "from_label": parameters.LABEL,
                "to_label": parameters.LABEL,
                "existing": {"type": "string", "enum": ["refuse", "add", "keep", "replace"]},
            },
            ("source", "project"),
        ),
    ),
    Endpoint(
        "GET",
        f"{_CHANNEL}/log",
        "channel-log",
        "List the audit log entries of a channel, oldest first.",
        RequiredRole.ADMIN,
        _show_log,
        _CHANGES,
        query=FieldSpec(_LOG),
    ),
    Endpoint(
        "GET",
        "/log",
        "log",
        "List all audit log entries, oldest first.",
        RequiredRole.OPERATOR,
        _show_log,
        _CHANGES,
        query=FieldSpec({**_LOG, "channel": parameters.CHANNEL}),
    ),
    Endpoint(
        "GET",
        "/log.csv",
        "log-csv",
        "Return the audit log as CSV.",
        RequiredRole.OPERATOR,
        _export_log,
        _CSV,
        query=FieldSpec({**_LOG, "channel": parameters.CHANNEL}),
    ),
)
