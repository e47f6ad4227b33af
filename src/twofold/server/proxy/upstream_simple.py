"""A simple index upstream: reads its pages (PEP 691, PEP 503), and merges them with ours."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from twofold.errors import Unreachable
from twofold.fetching.client import Endpoint, fetch_page
from twofold.index.simple_parser import ACCEPT, SimpleFile, parse_project_page
from twofold.names import normalize_name
from twofold.server.pages.project_json import ReleaseFile, make_entry
from twofold.server.proxy.remote_files import ListResponse, RemoteFile, RemoteProject

log = logging.getLogger("twofold.server")

QUARANTINED = "quarantined"  # PEP 792
_STATUSES = ("active", "archived", "deprecated", QUARANTINED)

#: The largest page of a project (bytes), and its most files. Each is kept with its hash in the
#: database, and any reader may ask for a page. A page of 20,000 files has 3 to 6 MB.
MAX_PAGE_SIZE, MAX_FILES = 32 << 20, 50_000

_ENDINGS = (".whl", ".tar.gz", ".zip")
#: Files that are not served; a page that lists only these is of a project that is there.
_OTHER_ENDINGS = (".tar.bz2", ".tgz", ".tar.xz", ".tar.Z", ".egg", ".exe", ".msi", ".rpm")


def fetch_files(source: Endpoint, key: str, known: str = "") -> ListResponse | None:
    """Fetch the files of a project; None when the upstream has none. Raises Unreachable."""
    url = f"{source.url.rstrip('/')}/{quote(key)}/"
    found = fetch_page(source, url, ACCEPT, known, MAX_PAGE_SIZE)
    if found is None or found.unchanged:
        return ListResponse(unchanged=True) if found else None
    try:
        page = parse_project_page(found.body, found.media, found.address)
    except ValueError as error:
        text = f"the upstream's page {found.address} cannot be read: {error}"
        raise Unreachable(text) from error
    every = page.files if page.status != QUARANTINED else ()
    listed = [file for file in every if _belongs_to(key, file.filename)]
    if not listed and not _leads_to(key, found.address):
        raise Unreachable(f"{url} leads to {found.address}, which is no page of '{key}'")
    good: dict[str, RemoteFile] = {}  # by name: of one that is listed twice the first counts
    for remote in map(to_remote_file, listed):
        if remote.is_sound and remote.filename.endswith(_ENDINGS):
            good.setdefault(remote.filename, remote)
    if every and not good:
        text = "%s: none of the %d files listed has a usable name and a SHA-256"
        log.warning(text, found.address, len(page.files))
    if len(good) > MAX_FILES:
        raise Unreachable(f"the upstream's page {found.address} lists more than {MAX_FILES} files")
    status = page.status if page.status in _STATUSES else ""
    unusable = (key,) if listed and not good else ()
    project = RemoteProject(tuple(good.values()), status, page.status_reason, unusable)
    return ListResponse(project, found.validator)


def _leads_to(key: str, address: str) -> bool:
    """Whether the address of a page, after redirects, names the project: a login page does not."""
    return any(normalize_name(unquote(part)) == key for part in urlsplit(address).path.split("/"))


def _belongs_to(key: str, filename: str) -> bool:
    """Whether a file belongs to the project, by its name."""
    if not filename.endswith((*_ENDINGS, *_OTHER_ENDINGS)):
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


def merge_page(
    key: str, own: bytes | None, remote: RemoteProject, refused: Mapping[str, str]
) -> dict[str, Any]:
    """Merge a project's page (PEP 691) with the upstream's; stored files take precedence.

    The status is the channel's own, or the upstream's where the channel has set none. `refused` has
    the reasons of files that are not served, by name: they are listed as yanked, so that resolvers
    choose another one; a client that pins one gets the reason (403).
    """
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
    status = (value.get("project-status") or {}).get("status", "active")
    if status == "active" and remote.status not in ("", "active"):
        value["project-status"] = {"status": remote.status}
        if remote.status_reason:
            value["project-status"]["reason"] = remote.status_reason
    here = {file["filename"] for file in value["files"]}
    for file in remote.files if status != QUARANTINED else ():
        if file.filename not in here:
            address = f"../../files/{file.sha256}/{_quote(file.filename)}"
            sha256 = {"sha256": file.sha256}
            entry = {"filename": file.filename, "url": address, "hashes": sha256, **file.entry}
            if file.filename in refused:
                reason = refused[file.filename]
                entry |= {"yanked": reason, "_refused": reason, "core-metadata": False}
            value["files"].append({"yanked": False, "core-metadata": False, **entry})
    if "versions" in value and not value["versions"]:
        del value["versions"]
        value["meta"] = {**value["meta"], "api-version": "1.0"}
    return value


def _quote(filename: str) -> str:
    """Quote a sound file name for a URL: `urllib` takes ten times as long, for 20,000 files."""
    return filename.replace("+", "%2B").replace("!", "%21")


def promise_metadata(page: dict[str, Any]) -> None:
    """State that every wheel has METADATA: it will be read by parts of the wheel."""
    for file in page["files"]:
        if file["filename"].endswith(".whl") and not file.get("core-metadata"):
            file["core-metadata"] = True


def to_release_file(file: RemoteFile, base: str, refused: str | None = None) -> ReleaseFile:
    """Describe a file for the JSON API; `base` is the channel's URL.

    `refused` is why the file is not served.
    """
    parts = file.filename.removesuffix(".whl").split("-")
    is_wheel = file.filename.endswith(".whl") and len(parts) >= 5
    yanked = refused or file.entry.get("yanked", False)
    description = {
        "sha256": file.sha256,
        "filename": file.filename,
        "packagetype": "bdist_wheel" if is_wheel else "sdist",
        "python_version": parts[-3] if is_wheel else "source",
        "requires_python": file.entry.get("requires-python"),
        "size": file.entry.get("size"),
        "upload_time": file.entry.get("upload-time"),
        "url": f"{base}/files/{file.sha256}/{quote(file.filename)}",
        "yanked": yanked if isinstance(yanked, str) else "" if yanked else None,
    }
    return ReleaseFile(find_version(file.filename), make_entry(description))


def find_version(filename: str) -> str:
    """Return the version in the name of a wheel or an sdist, as it is written there."""
    if filename.endswith(".whl"):
        return filename.split("-")[1] if "-" in filename else ""
    stem = filename.removesuffix(".tar.gz").removesuffix(".zip")
    return stem.rpartition("-")[2]


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
        f"{_render_status(value.get('project-status') or {})}"
        f"<title>Links for {name}</title></head><body>\n<h1>Links for {name}</h1>\n"
        f"{lines}\n</body></html>\n"
    ).encode()


def _render_status(status: Mapping[str, Any]) -> str:
    """Render a project's status as PEP 792 has it in HTML."""
    names = {"status": "pypi:project-status", "reason": "pypi:project-status-reason"}
    return "".join(
        f'<meta name="{name}" content="{escape(str(status[key]))}">'
        for key, name in names.items()
        if status.get(key)
    )


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
