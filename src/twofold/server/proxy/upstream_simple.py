"""A simple index upstream: reads its pages (PEP 691, PEP 503), and merges them with ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from typing import Any
from urllib.parse import quote

from twofold.errors import Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.index.simple_parser import ACCEPT, SimpleFile, parse_project_page
from twofold.names import normalize_name
from twofold.server.proxy.remote_files import ListResponse, RemoteFile

_ENDINGS = (".whl", ".tar.gz")


def fetch_files(source: Endpoint, key: str, known: str = "") -> ListResponse | None:
    """Fetch the files of a project; None when the upstream has none. Raises Unreachable."""
    found = fetch_page(source, f"{source.url.rstrip('/')}/{quote(key)}/", ACCEPT, known)
    if found is None or found.unchanged:
        return ListResponse(unchanged=True) if found else None
    try:
        page = parse_project_page(found.body, found.media, found.address)
    except ValueError as error:
        text = f"the upstream's page {found.address} cannot be read: {error}"
        raise Unreachable(text) from error
    every = map(to_remote_file, page.files if page.status != "quarantined" else ())
    good = (remote for remote in every if remote.is_sound and _belongs_to(key, remote.filename))
    return ListResponse(tuple(good), found.validator)


def _belongs_to(key: str, filename: str) -> bool:
    """Whether a file belongs to the project, by its name."""
    if not filename.endswith(_ENDINGS):
        return False
    if filename.endswith(".whl"):
        return normalize_name(filename.split("-")[0]) == key
    return normalize_name(filename).startswith(f"{key}-")


def to_remote_file(file: SimpleFile) -> RemoteFile:
    """A file of an upstream's page as the registry keeps it.

    METADATA is passed on only where its hash is known: it could not be checked otherwise.
    """
    entry = dict(file.details)
    if file.yanked is not None:
        entry["yanked"] = file.yanked or True
    if file.metadata_sha256:
        entry["core-metadata"] = {"sha256": file.metadata_sha256}
    return RemoteFile(file.filename, file.sha256, file.url, entry)


def merge_page(key: str, own: bytes | None, remote: Iterable[RemoteFile]) -> dict[str, Any]:
    """Merge a project's page (PEP 691) with remote files; stored files take precedence."""
    value: dict[str, Any] = (
        json.loads(own)
        if own
        else {
            "meta": {"api-version": "1.1"},
            "name": key,
            "versions": [],
            "files": [],
            "namespace": None,
        }
    )
    here = {file["filename"]: file for file in value["files"]}
    for file in remote:
        if file.filename in here:  # a yank upstream counts here too
            mine = here[file.filename]
            mine["yanked"] = mine.get("yanked") or file.entry.get("yanked", False)
        else:
            address = f"../../files/{file.sha256}/{quote(file.filename)}"
            sha256 = {"sha256": file.sha256}
            entry = {"filename": file.filename, "url": address, "hashes": sha256, **file.entry}
            value["files"].append({"yanked": False, "core-metadata": False, **entry})
    if "versions" in value and not value["versions"]:
        del value["versions"]
        value["meta"] = {**value["meta"], "api-version": "1.0"}
    return value


def render_json(value: Mapping[str, Any]) -> bytes:
    """Render a page as JSON (PEP 691)."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def render_html(value: Mapping[str, Any]) -> bytes:
    """Render a page as HTML (PEP 503)."""
    name = escape(str(value["name"]))
    lines = "\n".join(_render_anchor(file) for file in value["files"])
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8">'
        '<meta name="pypi:repository-version" content="1.0">'
        f"<title>Links for {name}</title></head><body>\n<h1>Links for {name}</h1>\n"
        f"{lines}\n</body></html>\n"
    ).encode()


def _render_anchor(file: Mapping[str, Any]) -> str:
    attributes = [f'href="{escape(file["url"])}#sha256={escape(file["hashes"]["sha256"])}"']
    if requires := file.get("requires-python"):
        attributes.append(f'data-requires-python="{escape(str(requires))}"')
    if (yanked := file.get("yanked")) not in (None, False):
        attributes.append(f'data-yanked="{escape(yanked if isinstance(yanked, str) else "")}"')
    metadata = file.get("core-metadata")
    if isinstance(metadata, dict) and "sha256" in metadata:
        attributes.append(f'data-core-metadata="sha256={escape(metadata["sha256"])}"')
    return f"<a {' '.join(attributes)}>{escape(file['filename'])}</a><br>"
