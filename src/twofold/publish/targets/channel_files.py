"""Looks for one file of a conda channel under its own address: `<channel>/<subdir>/<file>`."""

from __future__ import annotations

import re
from urllib.parse import quote

from requests.auth import AuthBase

from twofold.artifact import Artifact
from twofold.publish.http import HttpClient
from twofold.publish.targets.protocol import RemoteState, state_from_fetch

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
