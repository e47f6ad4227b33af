"""Channels of other servers: prefix.dev, quetz and Artifactory; one request per file.

They differ in the URL, the token's header and the URL of the channel:

    prefix       POST {url}/api/v1/upload/{channel}                  channel {url}/{channel}
    quetz        POST {url}/api/channels/{channel}/upload/{file}     channel {url}/get/{channel}
    artifactory  PUT  {url}/{subdir}/{file}                          channel {url}
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.errors import Problem
from twofold.names import normalize_name
from twofold.publish.addresses import Credentials
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HeaderAuth, HttpClient, basic_auth, bearer_auth
from twofold.publish.responses import HttpResult, is_name_taken
from twofold.publish.rules import one_attestation
from twofold.publish.targets.lookup import make_file_url, probe_channel
from twofold.publish.targets.protocol import (
    CONDA_KINDS,
    NO_KINDS,
    AlreadyPublishedError,
    RemoteState,
    UploadRule,
    as_already_published,
    describe_account,
    find_missing_token,
    state_from_fetch,
)
from twofold.publish.targets.release_managers import (
    READ_ONLY,
    PublishedFile,
    PublishedProject,
    ReadOnlyManager,
    parse_repodata,
    request_change,
    require_object,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress, UploadForm

#: Send a file once; returns the URL and the response.
SendOnce = Callable[[ReleaseFile, Progress], tuple[str, HttpResult]]


@dataclass(frozen=True)
class CondaServer:
    """A channel of another server.

    `channel` is the URL it is read at. `overwrites` is True if the server replaces files silently
    where the user has that permission; it is then queried right before each upload. `is_open` is
    True if it may accept anonymous uploads.
    """

    settings: TargetSettings
    http: HttpClient
    auth: HeaderAuth | None
    channel: str
    send_once: SendOnce
    overwrites: bool = False
    is_open: bool = False
    accepts: frozenset[Kind] = CONDA_KINDS
    default_kinds: frozenset[Kind] = CONDA_KINDS
    rules: tuple[UploadRule, ...] = ()
    is_readable: bool = True
    attestation_kinds: frozenset[Kind] = NO_KINDS

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return describe_account(self.http)

    def preflight(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        """Check the token before anything is sent."""
        return None if self.is_open else find_missing_token(self.http)

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name."""
        return probe_channel(self.http, self.channel, file.artifact, self.auth)

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        if self.overwrites and self.probe(file).state == "present":
            raise AlreadyPublishedError(f"{file.name} is already at {self.settings.name}")
        url, answer = self.send_once(file, progress)
        if answer.ok:
            return make_file_url(self.channel, file.artifact)
        if is_name_taken(answer):
            raise as_already_published(self.http.make_refusal(answer, url))
        raise self.http.make_refusal(answer, url)

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file back and compute its hash."""
        url = make_file_url(self.channel, file.artifact)
        return state_from_fetch(self.http.fetch_sha256(url, self.auth, file.artifact.size), url)

    def whoami(self) -> str:
        """Return the account of the credentials."""
        return "unknown: this kind of server cannot verify tokens; the first upload will"

    def close(self) -> None:
        """Close the connection."""
        self.http.close()


def open_prefix_dev(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> CondaServer:
    """Open a channel of prefix.dev, or of a server with its API."""
    base = settings.url.rstrip("/")
    auth = bearer_auth(credentials) if credentials else None
    upload = f"{base}/api/v1/upload/{settings.channel}"

    def send_once(file: ReleaseFile, progress: Progress) -> tuple[str, HttpResult]:
        artifact = file.artifact
        headers = {"x-file-name": file.name, "x-file-sha256": artifact.sha256}
        content = ("file", artifact.path, file.name, "application/octet-stream")
        attested = [("attestation", path.read_text("utf-8")) for path in file.attestations]
        form = UploadForm(content, trailing_fields=attested)
        return upload, http.send_form(upload, auth, form, progress, headers)

    channel = f"{base}/{settings.channel}"
    rules = (one_attestation,)
    return CondaServer(
        settings, http, auth, channel, send_once, rules=rules, attestation_kinds=CONDA_KINDS
    )


def open_quetz(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> CondaServer:
    """Open a channel of a quetz server."""
    base = settings.url.rstrip("/")
    auth = HeaderAuth("X-API-Key", credentials.secret.reveal()) if credentials else None

    def send_once(file: ReleaseFile, progress: Progress) -> tuple[str, HttpResult]:
        upload = f"{base}/api/channels/{settings.channel}/upload/{quote(file.name)}"
        query = f"?force=false&sha256={file.artifact.sha256}"
        path = file.artifact.path
        return upload, http.send_file("POST", upload + query, auth, path, None, progress)

    return CondaServer(settings, http, auth, f"{base}/get/{settings.channel}", send_once)


def open_artifactory(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> CondaServer:
    """Open a conda repository of Artifactory; `settings.url` is the repository's URL.

    Takes tokens, and passwords with their user.
    """
    base = settings.url.rstrip("/")
    auth: HeaderAuth | None = None
    if credentials:
        auth = basic_auth(credentials) if credentials.user else bearer_auth(credentials)

    def send_once(file: ReleaseFile, progress: Progress) -> tuple[str, HttpResult]:
        upload = make_file_url(base, file.artifact)
        headers = {"X-Checksum-Sha256": file.artifact.sha256}
        path = file.artifact.path
        return upload, http.send_file("PUT", upload, auth, path, headers, progress)

    return CondaServer(settings, http, auth, base, send_once, overwrites=True, is_open=True)


#: The subdirs looked at in a channel whose server has no list of a project's files.
SUBDIRS = ("noarch", "linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64", "win-arm64")


@dataclass
class CondaServerManager(ReadOnlyManager):
    """A channel of quetz or Artifactory, which delete a file by its URL, or of prefix.dev."""

    target: CondaServer

    def __post_init__(self) -> None:
        """Allow what the server's API has."""
        is_readable_only = self.target.settings.kind == "prefix"
        self.verbs = READ_ONLY if is_readable_only else frozenset({"delete"})

    def read(self, project: str) -> PublishedProject:
        """Read the repodata of the subdirs that packages are usually in."""
        found: list[PublishedFile] = []
        for subdir in SUBDIRS:
            url = f"{self.target.channel}/{subdir}/repodata.json"
            answer = self.target.http.get(url, self.target.auth)
            if answer.status == 404:
                continue
            value = require_object(self.target, answer, url)
            found += parse_repodata(value, subdir, normalize_name(project))
        return PublishedProject(tuple(found))

    def delete(self, project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files."""
        settings = self.target.settings
        for file in files:
            url = f"{settings.url.rstrip('/')}/{quote(file.name)}"
            if settings.kind == "quetz":
                base = f"{settings.url.rstrip('/')}/api/channels/{settings.channel}"
                url = f"{base}/packages/{quote(project)}/versions/{quote(file.name)}"
            request_change(self.target, "DELETE", url, None, {404})
