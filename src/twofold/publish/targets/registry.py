"""A twofold registry: one URL for pip and conda.

Wheels and sdists go in through its legacy API (`<url>/legacy/`), conda packages by
`POST <url>/upload` with the file as the body.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

from twofold.artifact import Kind
from twofold.errors import Problem
from twofold.publish.addresses import Credentials
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HeaderAuth, HttpClient, basic_auth, bearer_auth
from twofold.publish.responses import TOKEN_ERROR_CODES, HttpResult, is_name_taken
from twofold.publish.targets.converted_packages import REPLACES, is_same_package
from twofold.publish.targets.legacy import LegacyIndex, describe_yank
from twofold.publish.targets.lookup import make_file_url, probe_channel
from twofold.publish.targets.protocol import (
    ALL_KINDS,
    PYPI_KINDS,
    RemoteState,
    UploadRule,
    as_already_published,
    describe_account,
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
from twofold.publish.transport.request_bodies import Progress

#: The registry checks so many files in one request.
FILES_AT_ONCE = 500


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
        self.auth: HeaderAuth | None = bearer_auth(credentials) if credentials else None
        channel = settings.url.rstrip("/")
        python_side = replace(settings, url=f"{channel}/legacy/", index=f"{channel}/simple/")
        form_auth = basic_auth(credentials) if credentials else None
        self.index = LegacyIndex(python_side, http, form_auth)
        self._permitted: set[str] = set()
        self._answers: dict[str, HttpResult] = {}

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return describe_account(self.http)

    def preflight(self, files: Sequence[ReleaseFile], /) -> Problem | None:
        """The channel is missing, or the token is missing, invalid or without the permission."""
        projects = {file.artifact.name for file in files}
        for project in sorted(projects - self._permitted):
            url = f"{self.settings.url.rstrip('/')}/whoami"
            if self.auth:
                url += f"?project={quote(project)}"
            answer = self.http.get(url, self.auth)
            value = answer.json()
            code = value.get("code") if isinstance(value, dict) else None
            if answer.status in (401, 404) or code in TOKEN_ERROR_CODES:
                return self.http.make_refusal(answer, url).problems[0]
            if answer.ok and isinstance(value, dict) and self.auth:
                self.http.account = str(value.get("user", ""))
            if answer.ok and not isinstance(value, dict):
                message = "that server is not a twofold registry"
                return Problem(
                    message,
                    "check the URL; for another kind of server write KIND+https://…, such as legacy+https://…",
                )
        return find_missing_token(self.http)

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name, and whether its upload would be refused.

        The registry's preflight check answers both at once; without a token, and for a channel
        that proxies an index, the pages are read.
        """
        answered = self._preflight_file(file) if self.auth else None
        if answered is not None and answered.refusal is None:
            return answered
        seen = self._read_pages(file)
        return answered if answered is not None and seen.state == "absent" else seen

    def _read_pages(self, file: ReleaseFile) -> RemoteState:
        if not file.artifact.kind.is_conda:
            return self.index.probe(file)
        seen = probe_channel(self.http, self.settings.url, file.artifact, self.auth)
        is_other = seen.state == "present" and not seen.is_ours(file.artifact)
        return self.fetch(file) if is_other else seen

    def _compare_record(self, file: ReleaseFile, found: dict[str, Any]) -> RemoteState:
        """The state by the registry's own record of the file."""
        url = make_file_url(self.settings.url, file.artifact) if file.artifact.kind.is_conda else ""
        note = describe_yank(found["yanked"])
        seen = RemoteState("present", str(found["sha256"]), url, note)
        if not file.artifact.kind.is_conda or seen.is_ours(file.artifact):
            return seen
        fetched = replace(self.fetch(file), note=note)
        if found["converted"] and not fetched.is_ours(file.artifact):
            return RemoteState("absent", url=url, note=REPLACES)
        return fetched

    def probe_together(self, files: Sequence[ReleaseFile]) -> None:
        """Ask about all files of a publication in one request; `probe` then sends none."""
        if not self.auth or len(files) < 2:
            return
        url = f"{self.settings.url.rstrip('/')}/whoami"
        for start in range(0, len(files), FILES_AT_ONCE):
            asked = files[start : start + FILES_AT_ONCE]
            body = {"files": [_describe_upload(file) for file in asked]}
            attempt = partial(self.http.request_once, "POST", url, self.auth, json=body)
            answer = self.http.with_retries(attempt)
            value = answer.json()
            found = value.get("files") if answer.ok and isinstance(value, dict) else None
            if not isinstance(found, list) or len(found) != len(asked):
                return  # another server: each file is asked about alone
            for file, one in zip(asked, found, strict=True):
                data = json.dumps(one["body"]).encode()
                self._answers[file.name] = HttpResult(one["status"], "", {}, data)

    def _preflight_file(self, file: ReleaseFile) -> RemoteState | None:
        """The answer of the registry's preflight check; None if it says nothing about the file."""
        artifact = file.artifact
        answer = self._answers.pop(file.name, None)
        if answer is None:
            url = f"{self.settings.url.rstrip('/')}/whoami?{urlencode(_describe_upload(file))}"
            answer = self.http.get(url, self.auth)
        value = answer.json()
        if not isinstance(value, dict):
            return None
        if answer.ok:
            self._permitted.add(artifact.name)
            self.http.account = str(value.get("user", ""))
            if "file" not in value:
                return None
            found = value["file"]
            return self._compare_record(file, found) if found else RemoteState("absent")
        code = value.get("code")
        if not code or answer.status in (401, 404) or code in TOKEN_ERROR_CODES:
            return None  # problems of the token or channel are reported for the target
        refused = self.http.make_refusal(answer, self.settings.url).problems[0]
        return RemoteState("absent", refusal=refused, rule=str(code))

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
            seen = state_from_fetch(
                self.http.fetch_sha256(url, self.auth, file.artifact.size, copy), url
            )
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


def _describe_upload(file: ReleaseFile) -> dict[str, str | int]:
    """What the registry's preflight check is asked about a file."""
    artifact = file.artifact
    subdir = artifact.subdir if artifact.kind.is_conda else ""
    return {
        "project": artifact.name,
        "file": file.name,
        "subdir": subdir,
        "size": artifact.size,
    }


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
