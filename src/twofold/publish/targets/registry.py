"""A twofold registry: one URL for pip and conda.

Wheels and sdists go in through its legacy API (`<url>/legacy/`), conda packages by
`POST <url>/upload` with the file as the body.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote, urlencode

from requests.auth import AuthBase

from twofold.artifact import Kind
from twofold.errors import Problem
from twofold.publish.addresses import Credentials
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HttpClient, Progress, basic_auth, bearer_auth
from twofold.publish.responses import TOKEN_ERROR_CODES, is_name_taken
from twofold.publish.targets.converted_packages import is_same_package
from twofold.publish.targets.legacy import LegacyIndex
from twofold.publish.targets.lookup import make_file_url, probe_channel
from twofold.publish.targets.protocol import (
    ALL_KINDS,
    PYPI_KINDS,
    RemoteState,
    UploadRule,
    as_already_published,
    find_missing_token,
    state_from_fetch,
)
from twofold.publish.targets.release_managers import (
    Promotion,
    PublishedFile,
    PublishedProject,
    ReadOnlyManager,
    get_error_code,
    request_change,
    require_object,
)
from twofold.publish.targets.settings import TargetSettings


class TwofoldRegistry:
    """A channel of a twofold registry, as `http://host/main`."""

    accepts: frozenset[Kind] = ALL_KINDS
    default_kinds: frozenset[Kind] = ALL_KINDS
    rules: tuple[UploadRule, ...] = ()
    is_readable = True
    attestation_kinds = PYPI_KINDS

    def __init__(
        self, settings: TargetSettings, http: HttpClient, credentials: Credentials | None
    ) -> None:
        self.settings = settings
        self.http = http
        self.auth: AuthBase | None = bearer_auth(credentials) if credentials else None
        channel = settings.url.rstrip("/")
        python_side = replace(settings, url=f"{channel}/legacy/", index=f"{channel}/simple/")
        form_auth = basic_auth(credentials) if credentials else None
        self.index = LegacyIndex(python_side, http, form_auth)

    def preflight(self, files: Sequence[ReleaseFile], /) -> Problem | None:
        """The channel is missing, or the token is missing, invalid or without the permission."""
        for project in sorted({file.artifact.name for file in files}):
            url = f"{self.settings.url.rstrip('/')}/whoami"
            if self.auth:
                url += f"?project={quote(project)}"
            answer = self.http.get(url, self.auth)
            value = answer.json()
            code = value.get("code") if isinstance(value, dict) else None
            if answer.status in (401, 404) or code in TOKEN_ERROR_CODES:
                return self.http.make_refusal(answer, url).problems[0]
            if answer.ok and not isinstance(value, dict):
                message = "that server is not a twofold registry"
                return Problem(
                    message,
                    "check the URL; for another kind of server write KIND+https://…, such as legacy+https://…",
                )
        return find_missing_token(self.http)

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name."""
        if not file.artifact.kind.is_conda:
            seen = self.index.probe(file)
            return self._preflight_file(file, seen) if seen.state == "absent" else seen
        seen = probe_channel(self.http, self.settings.url, file.artifact, self.auth)
        if seen.state == "absent":
            return self._preflight_file(file, seen)
        return seen if seen.is_ours(file.artifact) else self.fetch(file)

    def _preflight_file(self, file: ReleaseFile, absent: RemoteState) -> RemoteState:
        """Ask the registry's preflight check about a missing file."""
        if self.auth is None:
            return absent
        artifact = file.artifact
        subdir = artifact.subdir if artifact.kind.is_conda else ""
        query = {"project": artifact.name, "file": file.name, "subdir": subdir}
        url = f"{self.settings.url.rstrip('/')}/whoami?{urlencode(query)}&size={artifact.size}"
        answer = self.http.get(url, self.auth)
        value = answer.json()
        code = value.get("code") if isinstance(value, dict) else None
        if answer.ok or not code or answer.status in (401, 404) or code in TOKEN_ERROR_CODES:
            return absent  # problems of the token or channel are reported for the target
        refused = self.http.make_refusal(answer, self.settings.url).problems[0]
        return replace(absent, refusal=refused, rule=str(code))

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        if not file.artifact.kind.is_conda:
            return self.index.send(file, progress)
        url = f"{self.settings.url.rstrip('/')}/upload"
        headers = {"x-file-name": file.name, "x-file-sha256": file.artifact.sha256}
        path = file.artifact.path
        answer = self.http.send_file("POST", url, self.auth, path, headers, progress)
        if answer.ok:
            value = answer.json()
            return str(value.get("url", "")) if isinstance(value, dict) else ""
        if is_name_taken(answer):
            raise as_already_published(self.http.make_refusal(answer, url))
        raise self.http.make_refusal(answer, url)

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file; a conda package is compared by its contents too.

        The registry may have converted it from the wheel itself (see `converted_packages`).
        """
        if not file.artifact.kind.is_conda:
            return self.index.fetch(file)
        url = make_file_url(self.settings.url, file.artifact)
        with tempfile.TemporaryFile() as copy:
            seen = state_from_fetch(self.http.fetch_sha256(url, self.auth, copy), url)
            if seen.state == "absent" or seen.is_ours(file.artifact):
                return seen
            return replace(seen, has_same_content=is_same_package(file.artifact.path, copy))

    def whoami(self) -> str:
        """Return the account of the credentials."""
        answer = self.http.get(f"{self.settings.url.rstrip('/')}/whoami", self.auth)
        if not answer.ok:
            raise self.http.make_refusal(answer, self.settings.url)
        value = answer.json()
        return str(value.get("user", value)) if isinstance(value, dict) else answer.text().strip()

    def close(self) -> None:
        """Close the connection."""
        self.http.close()


@dataclass
class RegistryManager(ReadOnlyManager):
    """A channel of a twofold registry, through its management API."""

    target: TwofoldRegistry
    verbs = frozenset({"yank", "unyank", "delete", "promote", "set-status"})

    def read(self, project: str) -> PublishedProject:
        """Read the project with its PyPI and conda files."""
        url = self._url("projects", project)
        answer = self.target.http.get(url, self.target.auth)
        if answer.status == 404 and get_error_code(answer) != "no-channel":
            return PublishedProject()
        value = require_object(self.target, answer, url)
        about = value.get("project") or {}
        files = tuple(
            PublishedFile(
                row["file"], row["version"], row["yanked"], tuple(row["labels"]), row["sha256"]
            )
            for row in value.get("files", ())
        )
        return PublishedProject(files, about.get("status") or "", about.get("status_reason") or "")

    def set_yank(self, project: str, version: str, reason: str | None) -> None:
        """Yank a release, both its PyPI and its conda files, or undo it."""
        url = self._url("projects", project, "releases", version, "yank")
        if reason is None:
            self._change("DELETE", url)
        else:
            self._change("PUT", url, {"reason": reason})

    def delete(self, project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files; converted packages go with their wheel."""
        for file in files:
            subdir, _, name = file.name.rpartition("/")
            url = self._url("projects", project, "files", name)
            url += f"?subdir={quote(subdir)}" if subdir else ""
            self._change("DELETE", url, may_be_gone=True)

    def promote(self, project: str, files: Sequence[PublishedFile], promotion: Promotion) -> None:
        """Promote releases from a label of one channel to a label of this one."""
        for version in dict.fromkeys(file.version for file in files):
            body = {
                "source": promotion.source.url.rstrip("/").rpartition("/")[2],
                "project": project,
                "version": version,
                "from_label": promotion.from_label,
                "to_label": promotion.to_label,
            }
            self._change("POST", self._url("promotions"), body)

    def set_status(self, project: str, status: str, reason: str) -> None:
        """Set the project's status."""
        body = {"status": status, "reason": reason}
        self._change("PUT", self._url("projects", project, "status"), body)

    def _url(self, *parts: str) -> str:
        server, _, channel = self.target.settings.url.rstrip("/").rpartition("/")
        path = "/".join(quote(part, safe="") for part in (channel, *parts))
        return f"{server}/api/manage/channels/{path}"

    def _change(
        self, method: str, url: str, body: Any = None, *, may_be_gone: bool = False
    ) -> None:
        request_change(self.target, method, url, body, {404} if may_be_gone else ())
