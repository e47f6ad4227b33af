"""Looks files up: on a project's simple page (PEP 503 and 691), and in a conda channel."""

from __future__ import annotations

import re
from urllib.parse import quote

from twofold.artifact import Artifact
from twofold.names import normalize_name
from twofold.publish.addresses import can_share_login, redact_url
from twofold.publish.http import HeaderAuth, HttpClient, find_redirect, make_loop_error
from twofold.publish.responses import HttpResult
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.index.simple_parser import ProjectPage, SimpleFile

ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"


def fetch_files(
    http: HttpClient, index: str, project: str, auth: HeaderAuth | None
) -> dict[str, SimpleFile]:
    """Fetch the files of a project by name; see `fetch_page`."""
    return fetch_page(http, index, project, auth).by_name


def fetch_page(http: HttpClient, index: str, project: str, auth: HeaderAuth | None) -> ProjectPage:
    """Fetch a project's page; one without files if the index does not have the project.

    Raises Refused if the response is neither a page nor 404.
    """
    from twofold.index.simple_parser import ProjectPage

    url = f"{index.rstrip('/')}/{normalize_name(project)}/"
    answer = http.get(url, auth, {"Accept": ACCEPT, "Cache-Control": "no-cache"})
    onward = find_redirect(answer, url)
    if onward and can_share_login(onward, url):
        raise make_loop_error(url)
    if answer.status == 404 or onward:
        return ProjectPage()  # or a redirect to another index for unknown projects
    if not answer.ok:
        hint = f"check the simple index of this target ({redact_url(index)})"
        raise http.make_refusal(answer, url, "" if answer.status in (401, 403) else hint)
    return _parse_page(answer, url)


def _parse_page(answer: HttpResult, url: str) -> ProjectPage:
    """The page by its content: some servers send JSON under another type."""
    from twofold.index.simple_parser import parse_html_page, parse_json_page

    try:
        return parse_json_page(answer.body, url)
    except ValueError:
        return parse_html_page(answer.text(), url)


#: A strong ETag that is the file's SHA-256, as twofold registries send it.
ETAG = re.compile(r'"?(?:sha256[:-])?([0-9a-f]{64})"?', re.I)


def make_file_url(channel: str, artifact: Artifact) -> str:
    """Make the URL of a file in a channel."""
    return f"{channel.rstrip('/')}/{artifact.subdir}/{quote(artifact.filename)}"


def probe_channel(
    http: HttpClient, channel: str, artifact: Artifact, auth: HeaderAuth | None
) -> RemoteState:
    """Look a file up under `<channel>/<subdir>/<file>`, with its hash.

    The hash comes from the server's headers (ETag, Artifactory's X-Checksum-Sha256), else from
    the fetched file, which costs its size only if it is there already; redirects to an object
    store are followed.
    """
    url = make_file_url(channel, artifact)
    answer = http.with_retries(lambda: http.request_once("HEAD", url, auth))
    if answer.status in (404, 410):
        return RemoteState("absent")
    is_elsewhere = 300 <= answer.status < 400
    if not answer.ok and not is_elsewhere and answer.status not in (405, 501):
        raise http.make_refusal(answer, url)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    match = ETAG.fullmatch(headers.get("etag", "")) or ETAG.fullmatch(
        headers.get("x-checksum-sha256", "")
    )
    digest = (
        match.group(1).lower()
        if match and not is_elsewhere
        else http.fetch_sha256(url, auth, artifact.size)
    )
    return state_from_fetch(digest, url)
