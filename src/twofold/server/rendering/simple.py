"""The registry's simple pages: its files as listings, given to `twofold.index.simple`.

Addresses are relative to the page, so that one page serves every host name and `/t/TOKEN/` too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from twofold.artifact import Listing
from twofold.index import simple
from twofold.server.model import Project, Stored


def file_path(file: Stored) -> str:
    """Where a file lies below its channel; the hash in it makes the address immutable."""
    return f"files/{file.sha256}/{quote(file.filename)}"


def project_page(
    project: Project, files: Iterable[Stored], namespace: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The JSON value of a project's page; `namespace` is PEP 752's."""
    offered = () if project.status == "quarantined" else files
    listings = [_listing(project, file) for file in offered]
    reason = project.status_reason or ""
    page = simple.project_page(project.key, listings, project.status, reason)
    return {**page, "namespace": namespace}


def project_json(page: dict[str, Any]) -> bytes:
    return simple.to_bytes(page)


def project_html(page: dict[str, Any]) -> bytes:
    return simple.project_html(page).encode()


def index_json(projects: Iterable[str]) -> bytes:
    return simple.to_bytes(simple.root_page(projects))


def index_html(projects: Iterable[str]) -> bytes:
    return simple.root_html(simple.root_page(projects)).encode()


def provenance_path(project: Project, file: Stored) -> str:
    version, name = quote(file.version, safe=""), quote(file.filename)
    return f"../../integrity/{project.key}/{version}/{name}/provenance"


def _listing(project: Project, file: Stored) -> Listing:
    return Listing(
        file.artifact,
        url=f"../../{file_path(file)}",
        uploaded_at=file.uploaded_at,
        yanked=file.yanked,
        provenance=provenance_path(project, file) if file.provenance else None,
    )
