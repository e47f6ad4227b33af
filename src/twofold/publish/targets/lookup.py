"""Reads a project's page of a simple index (PEP 503 and 691): which files it has, with hashes."""

from __future__ import annotations

import re
from urllib.parse import quote

from requests.auth import AuthBase

from twofold.artifact import Artifact
from twofold.index.simple_parser import (
    ProjectPage,
    SimpleFile,
    parse_html_page,
    parse_json_page,
)
from twofold.publish.addresses import redact_url
from twofold.publish.http import HttpClient
from twofold.publish.responses import HttpResult
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


def normalised(name: str) -> str:
    """A project's name as indexes spell it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch_files(
    http: HttpClient, index: str, project: str, auth: AuthBase | None
) -> dict[str, SimpleFile]:
    """The files of a project by name; see `fetch_page`."""
    return fetch_page(http, index, project, auth).by_name


def fetch_page(http: HttpClient, index: str, project: str, auth: AuthBase | None) -> ProjectPage:
    """A project's page; one without files when the index does not know the project.

    Raises Refused when the index answers something else than a page or 404.
    """
    url = f"{index.rstrip('/')}/{normalised(project)}/"
    answer = http.get(url, auth, {"Accept": ACCEPT, "Cache-Control": "no-cache"})
    if answer.status == 404 or 300 <= answer.status < 400:
        return ProjectPage()  # or it sends its callers to another index for what it has not got
    if not answer.ok:
        hint = f"check the simple index of this target ({redact_url(index)})"
        raise http.make_refusal(answer, url, "" if answer.status in (401, 403) else hint)
    return _parse_page(answer, url)


def _parse_page(answer: HttpResult, url: str) -> ProjectPage:
    """The page by its content: some servers send JSON under another type."""
    try:
        return parse_json_page(answer.body, url)
    except ValueError:
        return parse_html_page(answer.text(), url)


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
