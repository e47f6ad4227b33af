"""A simple index upstream: reads its pages (PEP 691, PEP 503), and merges them with ours."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from html import escape
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from twofold.errors import Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.names import normalize_name
from twofold.server.proxy.remote_files import ListResponse, RemoteFile

ACCEPT = (
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.1"
)

#: The fields of PEP 691 and its successors that are passed on.
_KEPT = ("requires-python", "size", "upload-time", "yanked")

_ENDINGS = (".whl", ".tar.gz")


def fetch_files(source: Endpoint, key: str, known: str = "") -> ListResponse | None:
    """Fetch the files of a project; None when the upstream has none. Raises Unreachable."""
    found = fetch_page(source, f"{source.url.rstrip('/')}/{quote(key)}/", ACCEPT, known)
    if found is None or found.unchanged:
        return ListResponse(unchanged=True) if found else None
    read = _parse_json if found.media.endswith("+json") else _parse_html
    try:
        every = read(found.body, found.address)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        text = f"the upstream's page {found.address} cannot be read: {error}"
        raise Unreachable(text) from error
    good = (file for file in every if file.is_sound and _belongs_to(key, file.filename))
    return ListResponse(tuple(good), found.validator)


def _belongs_to(key: str, filename: str) -> bool:
    """Whether a file belongs to the project, by its name."""
    if not filename.endswith(_ENDINGS):
        return False
    if filename.endswith(".whl"):
        return normalize_name(filename.split("-")[0]) == key
    return normalize_name(filename).startswith(f"{key}-")


def find_metadata_hash(entry: Mapping[str, Any]) -> str:
    """Return the declared SHA-256 of a wheel's METADATA (PEP 658); '' without one."""
    declared = entry.get("core-metadata")
    sha256 = declared.get("sha256") if isinstance(declared, dict) else ""
    return sha256.lower() if isinstance(sha256, str) and len(sha256) == 64 else ""


def _parse_json(body: bytes, address: str) -> list[RemoteFile]:
    value = json.loads(body)
    status = value.get("project-status") or {}
    if status.get("status") == "quarantined":
        return []
    found = []
    for file in value["files"]:
        entry = {name: file[name] for name in _KEPT if file.get(name) is not None}
        metadata = file.get("core-metadata", file.get("data-dist-info-metadata"))
        sha256 = str(file["hashes"].get("sha256", "")).lower()
        url = urljoin(address, file["url"])
        found.append(
            RemoteFile(file["filename"], sha256, url, _keep_metadata_hash(entry, metadata))
        )
    return found


def _keep_metadata_hash(entry: dict[str, Any], hashes: Any) -> dict[str, Any]:
    """Keep METADATA only with a declared hash: it could not be verified otherwise."""
    sha256 = find_metadata_hash({"core-metadata": hashes})
    return {**entry, "core-metadata": {"sha256": sha256}} if sha256 else entry


def _parse_html(body: bytes, address: str) -> list[RemoteFile]:
    reader = _Anchors()
    reader.feed(body.decode("utf-8", "replace"))
    reader.close()
    found = []
    for attributes in reader.found:
        url, fragment = urldefrag(urljoin(address, attributes.get("href") or ""))
        entry: dict[str, Any] = {}
        if requires := attributes.get("data-requires-python"):
            entry["requires-python"] = requires
        if "data-yanked" in attributes:
            entry["yanked"] = attributes["data-yanked"] or True
        filename = urlsplit(url).path.rpartition("/")[2]
        sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else ""
        kind, _, value = (attributes.get("data-core-metadata") or "").partition("=")
        entry = _keep_metadata_hash(entry, {kind: value})
        found.append(RemoteFile(filename, sha256.lower(), url, entry))
    return found


class _Anchors(HTMLParser):
    """Collects the attributes of all links."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


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
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def render_html(value: Mapping[str, Any]) -> bytes:
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
