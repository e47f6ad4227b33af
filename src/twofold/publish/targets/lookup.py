"""Reads a project's page of a simple index (PEP 503 and 691): which files it has, with hashes."""

from __future__ import annotations

import html.parser
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urldefrag, urljoin, urlsplit

from requests.auth import AuthBase

from twofold.artifact import Artifact
from twofold.publish.addresses import redact_url
from twofold.publish.http import HttpClient
from twofold.publish.responses import HttpResult
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


@dataclass(frozen=True)
class IndexedFile:
    """A file on a page; `sha256` is '' when the page does not tell it. `yanked` is the reason
    given (PEP 592), '' for none, and None for a file that is not yanked."""

    url: str
    sha256: str
    yanked: str | None = None


def normalised(name: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


@dataclass(frozen=True)
class ProjectPage:
    """A project's files by name, and its status (PEP 792; '' where the page tells none)."""

    files: dict[str, IndexedFile]
    status: str = ""


def fetch_files(
    http: HttpClient, index: str, project: str, auth: AuthBase | None
) -> dict[str, IndexedFile]:
    """The files of a project by name; see `page_of`."""
    return fetch_page(http, index, project, auth).files


def fetch_page(http: HttpClient, index: str, project: str, auth: AuthBase | None) -> ProjectPage:
    """A project's page; one without files when the index does not know the project.

    Raises Refused when the index answers something else than a page or 404.
    """
    url = f"{index.rstrip('/')}/{normalised(project)}/"
    answer = http.get(url, auth, {"Accept": ACCEPT, "Cache-Control": "no-cache"})
    if answer.status == 404 or 300 <= answer.status < 400:
        return ProjectPage({})  # or it sends its callers to another index for what it has not got
    if not answer.ok:
        hint = f"check the simple index of this target ({redact_url(index)})"
        raise http.make_refusal(answer, url, "" if answer.status in (401, 403) else hint)
    return ProjectPage(
        _parse_json(answer, url) or _parse_html(answer, url), _read_status(answer.json())
    )


def _read_status(page: Any) -> str:
    found = page.get("project-status") if isinstance(page, dict) else None
    return str(found.get("status", "")) if isinstance(found, dict) else ""


def _parse_json(answer: HttpResult, base: str) -> dict[str, IndexedFile]:
    page = answer.json()
    if not isinstance(page, dict) or not isinstance(page.get("files"), list):
        return {}
    return {
        file["filename"]: IndexedFile(
            urljoin(base, file["url"]),
            str(file.get("hashes", {}).get("sha256", "")).lower(),
            _read_yank_reason(file.get("yanked", False)),
        )
        for file in page["files"]
        if isinstance(file, dict) and {"filename", "url"} <= set(file)
    }


def _read_yank_reason(yanked: object) -> str | None:
    """PEP 691: false, true, or the reason."""
    if isinstance(yanked, str):
        return yanked
    return "" if yanked is True else None


class _Anchors(html.parser.HTMLParser):
    """Collects the href of every anchor, and why it is yanked."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        if tag == "a" and told.get("href"):
            yanked = (told["data-yanked"] or "") if "data-yanked" in told else None
            self.found.append((told["href"] or "", yanked))


def _parse_html(answer: HttpResult, base: str) -> dict[str, IndexedFile]:
    parser = _Anchors()
    parser.feed(answer.text())
    files = {}
    for href, yanked in parser.found:
        address, fragment = urldefrag(urljoin(base, href))
        name = urlsplit(address).path.rpartition("/")[2]
        digest = fragment.partition("sha256=")[2].partition("&")[0]
        if name:
            files[name] = IndexedFile(address, digest.lower(), yanked)
    return files


#: A strong ETag that is the file's SHA-256, as a twofold registry sends it.
ETAG = re.compile(r'"?(?:sha256[:-])?([0-9a-f]{64})"?', re.I)


def make_file_url(channel: str, artifact: Artifact) -> str:
    return f"{channel.rstrip('/')}/{artifact.subdir}/{quote(artifact.filename)}"


def probe_channel(
    http: HttpClient, channel: str, artifact: Artifact, auth: AuthBase | None
) -> RemoteState:
    """Whether the file is there and with which hash.

    A hash that the server's headers tell is taken (ETag, Artifactory's X-Checksum-Sha256);
    else the file is fetched, which costs its size only when it is there already: from the store
    that the server sends us to, where it keeps files in one.
    """
    url = make_file_url(channel, artifact)
    answer = http.with_retries(lambda: http.request_once("HEAD", url, auth))
    if answer.status in (404, 410):
        return RemoteState("absent")
    is_elsewhere = 300 <= answer.status < 400
    if not answer.ok and not is_elsewhere and answer.status not in (405, 501):
        raise http.make_refusal(answer, url)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    told = ETAG.fullmatch(headers.get("etag", "")) or ETAG.fullmatch(
        headers.get("x-checksum-sha256", "")
    )
    digest = told.group(1).lower() if told and not is_elsewhere else http.fetch_sha256(url, auth)
    return state_from_fetch(digest, url)
