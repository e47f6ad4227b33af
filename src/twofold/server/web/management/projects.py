"""Projects, releases and labels: yank, delete, status, promotion; and the audit log."""

from __future__ import annotations

from typing import Any

from twofold.server.registry import changing, labelling, log, looking
from twofold.server.registry.labelling import Promotion, Selection
from twofold.server.registry.log import Change, Span
from twofold.server.registry.managing import Needs
from twofold.server.web.management import shapes, words
from twofold.server.web.management.calls import Answer, Asked, Call, Fields
from twofold.server.web.management.schema import Schema, flag, text


def _files(found: list[Any]) -> Any:
    return [shapes.file(file) for file in found]


def _projects(asked: Asked) -> Any:
    found = looking.projects(asked.registry, asked.actor, asked["channel"])
    return [shapes.project(project) for project in found]


def _project(asked: Asked) -> Any:
    given = asked.actor, asked["channel"], asked["project"]
    found = looking.project(asked.registry, *given)
    files = looking.files_of(asked.registry, found)
    return {"project": shapes.project(found), "files": _files(files)}


def _delete(asked: Asked) -> Any:
    given = asked["channel"], asked["project"], asked.get("version")
    return _files(changing.delete_release(asked.registry, asked.actor, *given))


def _delete_file(asked: Asked) -> Any:
    given = asked["channel"], asked.get("subdir", ""), asked["file"]
    return shapes.file(changing.delete(asked.registry, asked.actor, *given))


def _status(asked: Asked) -> Any:
    given = asked["channel"], asked["project"], asked["status"], asked.get("reason", "")
    return shapes.project(changing.set_status(asked.registry, asked.actor, *given))


def _yank(asked: Asked) -> Any:
    given = asked["channel"], asked["project"], asked["version"], asked.get("reason", "")
    return _files(changing.yank(asked.registry, asked.actor, *given))


def _unyank(asked: Asked) -> Any:
    given = asked["channel"], asked["project"], asked["version"]
    return _files(changing.unyank(asked.registry, asked.actor, *given))


def _labels(asked: Asked) -> Any:
    found = labelling.labels(asked.registry, asked.actor, asked["channel"])
    return [{"label": label, "locked": locked} for label, locked in sorted(found.items())]


def _set_label(asked: Asked) -> Any:
    given = asked.actor, asked["channel"], asked["label"]
    if "locked" in asked.words:
        labelling.lock_label(asked.registry, *given, asked["locked"])
    else:
        labelling.label(asked.registry, *given)
    return {"label": asked["label"], "locked": asked.get("locked", False)}


def _remove_label(asked: Asked) -> None:
    labelling.remove_label(asked.registry, asked.actor, asked["channel"], asked["label"])


def _labelled(asked: Asked) -> Any:
    given = asked.actor, asked["channel"], asked["label"]
    return _files(labelling.labelled(asked.registry, *given))


def _selection(asked: Asked) -> Selection:
    return Selection(asked["project"], asked.get("version"), asked.get("file"))


def _label(asked: Asked) -> Any:
    given = asked.actor, asked["channel"], asked["label"], _selection(asked)
    return _files(labelling.label(asked.registry, *given))


def _unlabel(asked: Asked) -> Any:
    given = asked.actor, asked["channel"], asked["label"], _selection(asked)
    return _files(labelling.unlabel(asked.registry, *given))


def _promote(asked: Asked) -> Any:
    promotion = Promotion(
        asked["source"],
        asked["channel"],
        Selection(asked["project"], asked.get("version")),
        asked.get("from_label", "main"),
        asked.get("to_label", "main"),
        asked.get("existing", "keep"),
    )
    return _files(labelling.promote(asked.registry, asked.actor, promotion))


def _changes(asked: Asked) -> list[Change]:
    span = Span(
        asked.get("channel"),
        asked.get("actor"),
        asked.get("action"),
        asked.get("after", 0),
        asked.get("limit", 1000),
    )
    return log.read(asked.registry, span)


def _log(asked: Asked) -> Any:
    return [shapes.change(change) for change in _changes(asked)]


def _log_as_csv(asked: Asked) -> str:
    return log.as_csv(_changes(asked))


_HERE = "/channels/{channel}"
_PROJECT = f"{_HERE}/projects/{{project}}"
_RELEASE = f"{_PROJECT}/releases/{{version}}"
_LABEL = f"{_HERE}/labels/{{label}}"

_SELECTED: dict[str, Schema] = {
    "project": words.PROJECT,
    "version": words.VERSION,
    "file": words.BASENAME,
}
_FILES = Answer("File", is_list=True)
_LOG: dict[str, Schema] = {
    "actor": text("who changed", most=500),
    "action": text("what was done", r"[a-z-]*", most=100),
    "after": words.AFTER,
    "limit": words.LIMIT,
}
_CHANGES, _CSV = Answer("Change", is_list=True), Answer(media="text/csv")

CALLS = (
    Call(
        "GET",
        f"{_HERE}/projects",
        "list-projects",
        "The channel's projects.",
        Needs.READ,
        _projects,
        Answer("Project", is_list=True),
    ),
    Call(
        "GET",
        _PROJECT,
        "show-project",
        "A project and its files in both worlds.",
        Needs.READ,
        _project,
        Answer("ProjectDetail"),
    ),
    Call(
        "DELETE",
        _PROJECT,
        "delete-project",
        "Delete every file of a project, as the channel's rule allows; used names stay used.",
        Needs.UPLOAD,
        _delete,
        _FILES,
    ),
    Call(
        "PUT",
        f"{_PROJECT}/status",
        "set-status",
        "A project's status (PEP 792); archived and quarantined ones take no files.",
        Needs.UPLOAD,
        _status,
        Answer("Project"),
        Fields({"status": words.STATUS, "reason": words.REASON}, ("status",)),
    ),
    Call(
        "DELETE",
        f"{_PROJECT}/files/{{file}}",
        "delete-file",
        "Delete a file and the twins made of it.",
        Needs.UPLOAD,
        _delete_file,
        Answer("File"),
        query=Fields({"subdir": words.SUBDIR}),
    ),
    Call("DELETE", _RELEASE, "delete-release", "Delete a release.", Needs.UPLOAD, _delete, _FILES),
    Call(
        "PUT",
        f"{_RELEASE}/yank",
        "yank",
        "Yank a release in both worlds.",
        Needs.UPLOAD,
        _yank,
        _FILES,
        Fields({"reason": words.REASON}),
    ),
    Call(
        "DELETE", f"{_RELEASE}/yank", "unyank", "Take a yank back.", Needs.UPLOAD, _unyank, _FILES
    ),
    Call(
        "GET",
        f"{_HERE}/labels",
        "list-labels",
        "The channel's labels.",
        Needs.READ,
        _labels,
        Answer("Label", is_list=True),
    ),
    Call(
        "PUT",
        _LABEL,
        "set-label",
        "Make a label; to lock or open it needs the role admin.",
        Needs.UPLOAD,
        _set_label,
        Answer("Label"),
        Fields({"locked": flag("takes no files and gives none away")}),
    ),
    Call(
        "DELETE",
        _LABEL,
        "remove-label",
        "Remove a label; its files keep their other labels.",
        Needs.UPLOAD,
        _remove_label,
    ),
    Call(
        "GET",
        f"{_LABEL}/files",
        "list-labelled",
        "The files under a label.",
        Needs.READ,
        _labelled,
        _FILES,
    ),
    Call(
        "POST",
        f"{_LABEL}/files",
        "label",
        "Put files of a project under a label too.",
        Needs.UPLOAD,
        _label,
        _FILES,
        Fields(_SELECTED, ("project",)),
    ),
    Call(
        "DELETE",
        f"{_LABEL}/files",
        "unlabel",
        "Take files of a project out of a label.",
        Needs.UPLOAD,
        _unlabel,
        _FILES,
        query=Fields(_SELECTED, ("project",)),
    ),
    Call(
        "POST",
        f"{_HERE}/promotions",
        "promote",
        "Carry files from a label of a channel to a label of this one; no bytes are copied.",
        Needs.UPLOAD,
        _promote,
        _FILES,
        Fields(
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
    Call(
        "GET",
        f"{_HERE}/log",
        "channel-log",
        "The channel's lines of the audit log, oldest first.",
        Needs.ADMIN,
        _log,
        _CHANGES,
        query=Fields(_LOG),
    ),
    Call(
        "GET",
        "/log",
        "log",
        "The audit log, oldest first.",
        Needs.OPERATOR,
        _log,
        _CHANGES,
        query=Fields({**_LOG, "channel": words.CHANNEL}),
    ),
    Call(
        "GET",
        "/log.csv",
        "log-csv",
        "The audit log as a table.",
        Needs.OPERATOR,
        _log_as_csv,
        _CSV,
        query=Fields({**_LOG, "channel": words.CHANNEL}),
    ),
)
