"""The simple index: PEP 503 (HTML), PEP 691 (JSON), with PEP 592, 658/714, 700, 740 and 792.

Addresses are relative to the page, so that one page serves every host name and `/t/TOKEN/` too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.server.model import Project, Stored

API_VERSION = "1.4"


def file_path(file: Stored) -> str:
    """Where a file lies below its channel; the hash in it makes the address immutable."""
    return f"files/{file.sha256}/{quote(file.filename)}"


def project_json(project: Project, files: Sequence[Stored]) -> bytes:
    status: dict[str, str] = {"status": project.status}
    if project.status_reason:
        status["reason"] = project.status_reason
    value = {
        "meta": {"api-version": API_VERSION},
        "name": project.key,
        "project-status": status,
        "versions": sorted({file.version for file in files}),
        "files": [_file_json(project, file) for file in files],
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _file_json(project: Project, file: Stored) -> dict[str, Any]:
    value: dict[str, Any] = {
        "filename": file.filename,
        "url": f"../../{file_path(file)}",
        "hashes": {"sha256": file.sha256},
        "size": file.size,
        "upload-time": file.uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "yanked": False if file.yanked is None else (file.yanked or True),
        "core-metadata": False,
        "provenance": provenance_path(project, file) if file.provenance else None,
    }
    if file.requires_python:
        value["requires-python"] = file.requires_python
    if file.kind is Kind.WHEEL:
        value["core-metadata"] = {"sha256": _metadata_hash(file)}
        value["dist-info-metadata"] = value["core-metadata"]
    return value


def project_html(project: Project, files: Iterable[Stored]) -> bytes:
    name = escape(project.key)
    status = f'<meta name="pypi:project-status" content="{escape(project.status)}">'
    if project.status_reason:
        reason = escape(project.status_reason)
        status += f'<meta name="pypi:project-status-reason" content="{reason}">'
    lines = "\n".join(_anchor(project, file) for file in files)
    return _html(f"Links for {name}", status, f"<h1>Links for {name}</h1>\n{lines}")


def _anchor(project: Project, file: Stored) -> str:
    attributes = [f'href="{escape(f"../../{file_path(file)}#sha256={file.sha256}")}"']
    if file.requires_python:
        attributes.append(f'data-requires-python="{escape(file.requires_python)}"')
    if file.yanked is not None:
        attributes.append(f'data-yanked="{escape(file.yanked)}"')
    if file.kind is Kind.WHEEL:
        digest = f"sha256={_metadata_hash(file)}"
        attributes.append(f'data-core-metadata="{digest}" data-dist-info-metadata="{digest}"')
    if file.provenance:
        attributes.append(f'data-provenance="{escape(provenance_path(project, file))}"')
    return f"<a {' '.join(attributes)}>{escape(file.filename)}</a><br>"


def index_json(projects: Iterable[str]) -> bytes:
    value = {
        "meta": {"api-version": API_VERSION},
        "projects": [{"name": key} for key in projects],
    }
    return json.dumps(value, separators=(",", ":")).encode()


def index_html(projects: Iterable[str]) -> bytes:
    lines = "\n".join(f'<a href="{escape(key)}/">{escape(key)}</a><br>' for key in projects)
    return _html("Simple index", "", lines)


def _html(title: str, head: str, body: str) -> bytes:
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">{head}'
        f"<title>{title}</title></head><body>\n{body}\n</body></html>\n"
    ).encode()


def provenance_path(project: Project, file: Stored) -> str:
    version, name = quote(file.version, safe=""), quote(file.filename)
    return f"../../integrity/{project.key}/{version}/{name}/provenance"


def _metadata_hash(file: Stored) -> str:
    return hashlib.sha256(file.metadata).hexdigest()
