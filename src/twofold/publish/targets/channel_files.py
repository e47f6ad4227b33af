"""Looks for one file of a conda channel under its own address: `<channel>/<subdir>/<file>`."""

from __future__ import annotations

import re
from urllib.parse import quote

from requests.auth import AuthBase

from twofold.artifact import Artifact
from twofold.publish.http import Http
from twofold.publish.targets.protocol import Seen, fetched

#: A strong ETag that is the file's SHA-256, as a twofold registry sends it.
ETAG = re.compile(r'"?(?:sha256[:-])?([0-9a-f]{64})"?', re.I)


def file_address(channel: str, artifact: Artifact) -> str:
    return f"{channel.rstrip('/')}/{artifact.subdir}/{quote(artifact.filename)}"


def look_for(http: Http, channel: str, artifact: Artifact, auth: AuthBase | None) -> Seen:
    """Whether the file is there and with which hash.

    A hash that the server's headers tell is taken (ETag, Artifactory's X-Checksum-Sha256);
    else the file is fetched, which costs its size only when it is there already: from the store
    that the server sends us to, where it keeps files in one.
    """
    url = file_address(channel, artifact)
    answer = http.again(lambda: http.once("HEAD", url, auth))
    if answer.status in (404, 410):
        return Seen("absent")
    is_elsewhere = 300 <= answer.status < 400
    if not answer.ok and not is_elsewhere and answer.status not in (405, 501):
        raise http.refused(answer, url)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    told = ETAG.fullmatch(headers.get("etag", "")) or ETAG.fullmatch(
        headers.get("x-checksum-sha256", "")
    )
    digest = told.group(1).lower() if told and not is_elsewhere else http.sha256_of(url, auth)
    return fetched(digest, url)
