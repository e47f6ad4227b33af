"""Renders the registry's simple pages through `twofold.index.simple`.

URLs are relative to the page, so that one page serves every host name and `/t/TOKEN/`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from twofold.artifact import Listing
from twofold.index import simple
from twofold.server.model import Project, StoredFile

#: PyPI's key for the number of the last change: of the repository, or of one project.
LAST_SERIAL = "_last-serial"


def make_file_path(file: StoredFile) -> str:
    """Return a file's path below its channel; the hash makes the URL immutable."""
    return f"files/{file.sha256}/{quote(file.filename)}"


def build_project_page(
    project: Project, files: Iterable[StoredFile], namespace: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Build the JSON value of a project's page; `namespace` is PEP 752's."""
    offered = () if project.status == "quarantined" else files
    listings = [make_listing(project, file) for file in offered]
    reason = project.status_reason or ""
    page = simple.make_project_page(project.key, listings, project.status, reason)
    return {**page, "namespace": namespace}


def render_project_json(page: dict[str, Any], serial: int) -> bytes:
    """Render a project's page as JSON (PEP 691); `serial` is that of its last change."""
    return simple.serialize(with_serial(page, serial))


def with_serial(page: Mapping[str, Any], serial: int) -> dict[str, Any]:
    """Return a project's page with the serial of its last change."""
    return {**page, "meta": {**page["meta"], LAST_SERIAL: serial}}


def render_project_html(page: dict[str, Any]) -> bytes:
    """Render a project's page as HTML (PEP 503)."""
    return simple.render_project_html(page).encode()


def render_index_json(projects: Mapping[str, int], serial: int) -> bytes:
    """Render the list of projects as JSON (PEP 691); mirrors compare the serials.

    `projects` maps a project's key to the serial of its last change.
    """
    page = simple.make_root_page(projects)
    listed = [{**one, LAST_SERIAL: projects[one["name"]]} for one in page["projects"]]
    return simple.serialize({"meta": {**page["meta"], LAST_SERIAL: serial}, "projects": listed})


def render_index_html(projects: Iterable[str]) -> bytes:
    """Render the list of projects as HTML (PEP 503)."""
    return simple.render_root_html(simple.make_root_page(projects)).encode()


def make_provenance_path(project: Project, file: StoredFile) -> str:
    """Return a provenance file's path (PEP 740), relative to the project's page."""
    version, name = quote(file.version, safe=""), quote(file.filename)
    return f"../../integrity/{project.key}/{version}/{name}/provenance"


def make_listing(project: Project, file: StoredFile) -> Listing:
    """Return a file as a page lists it."""
    return Listing(
        file.artifact,
        url=f"../../{make_file_path(file)}",
        uploaded_at=file.uploaded_at,
        yanked=file.yanked,
        provenance=make_provenance_path(project, file) if file.provenance else None,
    )
