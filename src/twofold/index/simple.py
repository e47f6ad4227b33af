"""The simple repository API from listings, as HTML and JSON.

PEP 503, 691, 592 (yank), 658 and 714 (metadata), 700 (versions, size, time), 740 (provenance),
792 (status). Pure functions, used by a folder's index and by the registry. The JSON is API version
1.4; HTML says what it can. Files are ordered by version and then by name; all text put into HTML
is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from twofold.artifact import Kind, Listing
from twofold.names import normalize_name

API_VERSION = "1.4"


def make_project_page(
    name: str,
    listings: Iterable[Listing],
    status: str = "active",
    reason: str = "",
) -> dict[str, Any]:
    """The JSON value of a project's page. `name` is normalised; `status` by PEP 792."""
    ordered = sorted(
        listings, key=lambda one: sort_key(one.artifact.version, one.artifact.filename)
    )
    marker: dict[str, str] = {"status": status}
    if reason:
        marker["reason"] = reason
    return {
        "meta": {"api-version": API_VERSION},
        "name": normalize_name(name),
        "project-status": marker,
        "versions": list(dict.fromkeys(normalize_version(listing) for listing in ordered)),
        "files": [make_file_entry(listing) for listing in ordered],
    }


def make_file_entry(listing: Listing) -> dict[str, Any]:
    """One file of a project's page."""
    artifact = listing.artifact
    entry: dict[str, Any] = {
        "filename": artifact.filename,
        "url": listing.url,
        "hashes": {"sha256": artifact.sha256},
        "size": artifact.size,
        "upload-time": _format_time(listing.uploaded_at),
        "yanked": False if listing.yanked is None else listing.yanked or True,
    }
    if artifact.requires_python:
        entry["requires-python"] = artifact.requires_python
    # PEP 714: never `dist-info-metadata` in JSON: pip 22.3 to 23.1 fails on it.
    entry["core-metadata"] = get_metadata_hashes(listing)
    if listing.provenance:
        entry["provenance"] = listing.provenance
    return entry


def get_metadata_hashes(listing: Listing) -> dict[str, str] | bool:
    """The hash of the file served at `<url>.metadata` (PEP 658), False for an sdist."""
    import hashlib

    if listing.artifact.kind is not Kind.WHEEL:
        return False
    return {"sha256": hashlib.sha256(listing.artifact.metadata).hexdigest()}


def render_project_html(page: dict[str, Any]) -> str:
    """A project's page as HTML, from its JSON value."""
    name = escape(page["name"])
    lines = [render_anchor(file) for file in page["files"]]
    status = page.get("project-status", {})
    meta = _render_meta("pypi:project-status", status.get("status", ""))
    meta += _render_meta("pypi:project-status-reason", status.get("reason", ""))
    return _render_page(f"Links for {name}", f"<h1>Links for {name}</h1>", lines, meta)


def make_root_page(names: Iterable[str]) -> dict[str, Any]:
    """The JSON value of the list of projects, given by their names in any spelling."""
    projects = sorted({normalize_name(name) for name in names})
    return {
        "meta": {"api-version": API_VERSION},
        "projects": [{"name": name} for name in projects],
    }


def render_root_html(page: dict[str, Any]) -> str:
    """The list of projects as HTML, from its JSON value."""
    lines = [
        f'<a href="{escape(project["name"])}/">{escape(project["name"])}</a><br>'
        for project in page["projects"]
    ]
    return _render_page("Simple index", "", lines)


def serialize(value: dict[str, Any]) -> bytes:
    """JSON as it is served: UTF-8, no needless spaces."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _render_page(title: str, heading: str, lines: Sequence[str], meta: str = "") -> str:
    body = "\n".join([heading, *lines] if heading else lines)
    return (
        "<!DOCTYPE html>\n<html>\n<head>\n"
        '<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
        f"{meta}<title>{title}</title>\n</head>\n<body>\n{body}\n</body>\n</html>\n"
    )


def _render_meta(name: str, content: str) -> str:
    return f'<meta name="{name}" content="{escape(content)}">\n' if content else ""


def render_anchor(file: dict[str, Any]) -> str:
    """One link. The attributes are those of PEP 503, 592, 658 and 714."""
    attributes = [f'href="{escape(file["url"])}#sha256={file["hashes"]["sha256"]}"']
    if file.get("requires-python"):
        attributes.append(f'data-requires-python="{escape(file["requires-python"])}"')
    if file["yanked"] is not False:
        reason = "" if file["yanked"] is True else file["yanked"]
        attributes.append(f'data-yanked="{escape(reason)}"')
    if file["core-metadata"]:
        digest = f"sha256={file['core-metadata']['sha256']}"
        attributes += [f'data-dist-info-metadata="{digest}"', f'data-core-metadata="{digest}"']
    if file.get("provenance"):
        attributes.append(f'data-provenance="{escape(file["provenance"])}"')
    return f"<a {' '.join(attributes)}>{escape(file['filename'])}</a><br>"


def _format_time(moment: datetime) -> str:
    """An ISO 8601 date in UTC with `Z`, with microseconds (PEP 700)."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def normalize_version(listing: Listing) -> str:
    """The version of a file as the page lists it."""
    from twofold_build.names import canonicalize_version

    return canonicalize_version(listing.artifact.version)


def sort_key(version: str, filename: str) -> tuple[Any, str]:
    """The order of a project's files."""
    from packaging.version import Version

    return Version(version), filename
