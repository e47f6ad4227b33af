"""Projects, releases and labels: yank, delete, status, promotion; and the audit log."""

from __future__ import annotations

from typing import Any

from twofold.server.auth.required_roles import RequiredRole
from twofold.server.registry import administration, labels, lifecycle, queries
from twofold.server.registry.administration import AuditEntry, AuditQuery
from twofold.server.registry.labels import Promotion, Selection
from twofold.server.web.management import response_schemas, words
from twofold.server.web.management.endpoints import (
    Endpoint,
    FieldSpec,
    RequestContext,
    ResponseSpec,
)
from twofold.server.web.management.parameters import Schema, flag, text


def _files(found: list[Any]) -> Any:
    return [response_schemas.serialize_file(file) for file in found]


def _projects(asked: RequestContext) -> Any:
    found = queries.list_projects(asked.registry, asked.actor, asked["channel"])
    return [response_schemas.serialize_project(project) for project in found]


def _project(asked: RequestContext) -> Any:
    given = asked.actor, asked["channel"], asked["project"]
    found = queries.get_project(asked.registry, *given)
    files = queries.list_files(asked.registry, found)
    return {"project": response_schemas.serialize_project(found), "files": _files(files)}


def _delete(asked: RequestContext) -> Any:
    given = asked["channel"], asked["project"], asked.get("version")
    return _files(lifecycle.delete_release(asked.registry, asked.actor, *given))


def _delete_file(asked: RequestContext) -> Any:
    given = asked["channel"], asked.get("subdir", ""), asked["file"]
    return response_schemas.serialize_file(lifecycle.delete(asked.registry, asked.actor, *given))


def _status(asked: RequestContext) -> Any:
    given = asked["channel"], asked["project"], asked["status"], asked.get("reason", "")
    return response_schemas.serialize_project(
        lifecycle.set_status(asked.registry, asked.actor, *given)
    )


def _yank(asked: RequestContext) -> Any:
    given = asked["channel"], asked["project"], asked["version"], asked.get("reason", "")
    return _files(lifecycle.yank(asked.registry, asked.actor, *given))


def _unyank(asked: RequestContext) -> Any:
    given = asked["channel"], asked["project"], asked["version"]
    return _files(lifecycle.unyank(asked.registry, asked.actor, *given))


def _labels(asked: RequestContext) -> Any:
    found = labels.list_labels(asked.registry, asked.actor, asked["channel"])
    return [{"label": label, "locked": locked} for label, locked in sorted(found.items())]


def _set_label(asked: RequestContext) -> Any:
    given = asked.actor, asked["channel"], asked["label"]
    if "locked" in asked.parameters:
        labels.lock_label(asked.registry, *given, asked["locked"])
    else:
        labels.add_label(asked.registry, *given)
    return {"label": asked["label"], "locked": asked.get("locked", False)}


def _remove_label(asked: RequestContext) -> None:
    labels.remove_label(asked.registry, asked.actor, asked["channel"], asked["label"])


def _labelled(asked: RequestContext) -> Any:
    given = asked.actor, asked["channel"], asked["label"]
    return _files(labels.list_labelled_files(asked.registry, *given))


def _selection(asked: RequestContext) -> Selection:
    return Selection(asked["project"], asked.get("version"), asked.get("file"))


def _label(asked: RequestContext) -> Any:
    given = asked.actor, asked["channel"], asked["label"], _selection(asked)
    return _files(labels.add_label(asked.registry, *given))


def _unlabel(asked: RequestContext) -> Any:
    given = asked.actor, asked["channel"], asked["label"], _selection(asked)
    return _files(labels.unlabel(asked.registry, *given))


def _promote(asked: RequestContext) -> Any:
    promotion = Promotion(
        asked["source"],
        asked["channel"],
        Selection(asked["project"], asked.get("version")),
        asked.get("from_label", "main"),
        asked.get("to_label", "main"),
        asked.get("existing", "keep"),
    )
    return _files(labels.promote(asked.registry, asked.actor, promotion))


def _changes(asked: RequestContext) -> list[AuditEntry]:
    span = AuditQuery(
        asked.get("channel"),
        asked.get("actor"),
        asked.get("action"),
        asked.get("after", 0),
        asked.get("limit", 1000),
    )
    return administration.read_changes(asked.registry, span)


def _log(asked: RequestContext) -> Any:
    return [response_schemas.serialize_change(change) for change in _changes(asked)]


def _log_as_csv(asked: RequestContext) -> str:
    return administration.as_csv(_changes(asked))


_HERE = "/channels/{channel}"
_PROJECT = f"{_HERE}/projects/{{project}}"
_RELEASE = f"{_PROJECT}/releases/{{version}}"
_LABEL = f"{_HERE}/labels/{{label}}"

_SELECTED: dict[str, Schema] = {
    "project": words.PROJECT,
    "version": words.VERSION,
    "file": words.BASENAME,
}
_FILES = ResponseSpec("File", is_list=True)
_LOG: dict[str, Schema] = {
    "actor": text("who changed", max_length=500),
    "action": text("what was done", r"[a-z-]*", max_length=100),
    "after": words.AFTER,
    "limit": words.LIMIT,
}
_CHANGES, _CSV = ResponseSpec("Change", is_list=True), ResponseSpec(media="text/csv")

CALLS = (
    Endpoint(
        "GET",
        f"{_HERE}/projects",
        "list-projects",
        "The channel's projects.",
        RequiredRole.READ,
        _projects,
        ResponseSpec("Project", is_list=True),
    ),
    Endpoint(
        "GET",
        _PROJECT,
        "show-project",
        "A project and its files in both worlds.",
        RequiredRole.READ,
        _project,
        ResponseSpec("ProjectDetail"),
    ),
    Endpoint(
        "DELETE",
        _PROJECT,
        "delete-project",
        "Delete every file of a project, as the channel's rule allows; used names stay used.",
        RequiredRole.UPLOAD,
        _delete,
        _FILES,
    ),
    Endpoint(
        "PUT",
        f"{_PROJECT}/status",
        "set-status",
        "A project's status (PEP 792); archived and quarantined ones take no files.",
        RequiredRole.UPLOAD,
        _status,
        ResponseSpec("Project"),
        FieldSpec({"status": words.STATUS, "reason": words.REASON}, ("status",)),
    ),
    Endpoint(
        "DELETE",
        f"{_PROJECT}/files/{{file}}",
        "delete-file",
        "Delete a file and the twins made of it.",
        RequiredRole.UPLOAD,
        _delete_file,
        ResponseSpec("File"),
        query=FieldSpec({"subdir": words.SUBDIR}),
    ),
    Endpoint(
        "DELETE",
        _RELEASE,
        "delete-release",
        "Delete a release.",
        RequiredRole.UPLOAD,
        _delete,
        _FILES,
    ),
    Endpoint(
        "PUT",
        f"{_RELEASE}/yank",
        "yank",
        "Yank a release in both worlds.",
        RequiredRole.UPLOAD,
        _yank,
        _FILES,
        FieldSpec({"reason": words.REASON}),
    ),
    Endpoint(
        "DELETE",
        f"{_RELEASE}/yank",
        "unyank",
        "Take a yank back.",
        RequiredRole.UPLOAD,
        _unyank,
        _FILES,
    ),
    Endpoint(
        "GET",
        f"{_HERE}/labels",
        "list-labels",
        "The channel's labels.",
        RequiredRole.READ,
        _labels,
        ResponseSpec("Label", is_list=True),
    ),
    Endpoint(
        "PUT",
        _LABEL,
        "set-label",
        "Make a label; to lock or open it needs the role admin.",
        RequiredRole.UPLOAD,
        _set_label,
        ResponseSpec("Label"),
        FieldSpec({"locked": flag("takes no files and gives none away")}),
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
        "The files under a label.",
        RequiredRole.READ,
        _labelled,
        _FILES,
    ),
    Endpoint(
        "POST",
        f"{_LABEL}/files",
        "label",
        "Put files of a project under a label too.",
        RequiredRole.UPLOAD,
        _label,
        _FILES,
        FieldSpec(_SELECTED, ("project",)),
    ),
    Endpoint(
        "DELETE",
        f"{_LABEL}/files",
        "unlabel",
        "Take files of a project out of a label.",
        RequiredRole.UPLOAD,
        _unlabel,
        _FILES,
        query=FieldSpec(_SELECTED, ("project",)),
    ),
    Endpoint(
        "POST",
        f"{_HERE}/promotions",
        "promote",
        "Carry files from a label of a channel to a label of this one; no bytes are copied.",
        RequiredRole.UPLOAD,
        _promote,
        _FILES,
        FieldSpec(
            {
                "source": words.CHANNEL,
                "project": words.PROJECT,
                "version": words.VERSION,
                "from_label": words.LABEL,
                "to_label": words.LABEL,
                "existing": {"type": "string", "enum": ["refuse", "keep", "replace"]},
            },
            ("source", "project"),
        ),
    ),
    Endpoint(
        "GET",
        f"{_HERE}/log",
        "channel-log",
        "The channel's lines of the audit log, oldest first.",
        RequiredRole.ADMIN,
        _log,
        _CHANGES,
        query=FieldSpec(_LOG),
    ),
    Endpoint(
        "GET",
        "/log",
        "log",
        "The audit log, oldest first.",
        RequiredRole.OPERATOR,
        _log,
        _CHANGES,
        query=FieldSpec({**_LOG, "channel": words.CHANNEL}),
    ),
    Endpoint(
        "GET",
        "/log.csv",
        "log-csv",
        "The audit log as a table.",
        RequiredRole.OPERATOR,
        _log_as_csv,
        _CSV,
        query=FieldSpec({**_LOG, "channel": words.CHANNEL}),
    ),
)
