"""Anaconda.org and servers that speak its API: package, release, stage, upload, commit.

Conda packages and, if requested, wheels and sdists. A file exists once it is committed; an
uncommitted stage is deleted before the file is staged again."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from twofold.artifact import Artifact, Kind
from twofold.errors import Problem, Refused, Unreachable
from twofold.formats.conda_reader import read_info
from twofold.publish.addresses import Credentials
from twofold.publish.files import ReleaseFile
from twofold.publish.http import HeaderAuth, HttpClient
from twofold.publish.responses import HttpResult, suggest_action
from twofold.publish.targets.converted_packages import probe_converted
from twofold.publish.targets.protocol import (
    ALL_KINDS,
    CONDA_KINDS,
    NO_KINDS,
    RemoteState,
    UploadRule,
    as_already_published,
    describe_account,
    find_missing_token,
    state_from_fetch,
)
from twofold.publish.targets.release_managers import (
    get_error_code,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress, UploadForm

#: Operator and version of a MatchSpec.
OPERATOR = re.compile(r"([=><!~]+)(.*)", re.DOTALL)


@dataclass(frozen=True)
class UploadBodies:
    """The JSON bodies of the package, release and stage calls for a file."""

    package: dict[str, Any]
    release: dict[str, Any]
    stage: dict[str, Any]


class AnacondaOrg:
    """One owner's packages at `settings.url`, the URL of the API."""

    accepts: frozenset[Kind] = ALL_KINDS
    default_kinds: frozenset[Kind] = CONDA_KINDS
    rules: tuple[UploadRule, ...] = ()
    is_readable = True
    attestation_kinds = NO_KINDS

    def __init__(
        self, settings: TargetSettings, http: HttpClient, credentials: Credentials | None
    ) -> None:
        self.settings = settings
        self.http = http
        token = credentials.secret.reveal() if credentials else ""
        self.auth = HeaderAuth("Authorization", f"token {token}") if token else HeaderAuth()

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return describe_account(self.http)

    def preflight(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        """Check the token before anything is sent."""
        missing = find_missing_token(self.http)
        if missing:
            return missing
        answer = self.http.get(url := f"{self.settings.url}/user", self.auth)
        if answer.status == 401:
            return self.http.make_refusal(answer, url).problems[0]
        value = answer.json() if answer.ok else None
        if isinstance(value, dict):
            self.http.account = str(value.get("login", ""))
        return None

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name."""
        url = self._url("dist", file)
        answer = self.http.get(url, self.auth)
        if answer.status == 404:
            if get_error_code(answer) == "converted":
                return probe_converted(self.http, self._url("download", file), self.auth, file)
            return RemoteState("absent")
        if not answer.ok:
            raise self.http.make_refusal(answer, url)
        value = answer.json()
        digest = value.get("sha256") if isinstance(value, dict) else None
        return (
            state_from_fetch(str(digest).lower(), self._url("download", file))
            if digest
            else self.fetch(file)
        )

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        described = make_upload_bodies(file, self.settings.labels or ("main",))
        self._ensure("package", file, described.package)
        self._ensure("release", file, described.release)
        staged = self._stage(file, described.stage)
        self._upload(file, staged, progress)
        url = self._url("commit", file)
        answer = self.http.request_once("POST", url, self.auth, json={"dist_id": staged["dist_id"]})
        if not answer.ok:
            raise self.http.make_refusal(answer, url)
        value = answer.json()
        return str(value.get("url") or "") if isinstance(value, dict) else ""

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file back and compute its hash."""
        url = self._url("download", file)
        return state_from_fetch(self.http.fetch_sha256(url, self.auth, file.artifact.size), url)

    def whoami(self) -> str:
        """Return the account of the credentials."""
        answer = self.http.get(url := f"{self.settings.url}/user", self.auth)
        if not answer.ok:
            raise self.http.make_refusal(answer, url)
        return str(value.get("login", "")) if isinstance(value := answer.json(), dict) else ""

    def close(self) -> None:
        """Close the connection."""
        self.http.close()

    def _url(self, verb: str, file: ReleaseFile) -> str:
        artifact = file.artifact
        parts = [self.settings.owner, artifact.name]
        if verb != "package":
            parts.append(artifact.version)
        if verb not in ("package", "release"):
            parts.append(get_api_basename(artifact))
        return f"{self.settings.url.rstrip('/')}/{verb}/" + "/".join(quote(p) for p in parts)

    def _ensure(self, verb: str, file: ReleaseFile, body: dict[str, Any]) -> None:
        """Create the package or release if it is missing; a concurrent creation is fine."""
        url = self._url(verb, file)
        answer = self.http.get(url, self.auth)
        if answer.ok:
            return
        if answer.status != 404:
            raise self.http.make_refusal(answer, url)
        made = self.http.request_once("POST", url, self.auth, json=body)
        if not made.ok and made.status != 409:
            raise self.http.make_refusal(made, url)

    def _stage(self, file: ReleaseFile, body: dict[str, Any]) -> dict[str, Any]:
        url = self._url("stage", file)
        answer = self.http.request_once("POST", url, self.auth, json=body)
        if answer.status == 409:
            if self.probe(file).state == "present":
                raise as_already_published(self.http.make_refusal(answer, url))
            self._take_back(file)
            answer = self.http.request_once("POST", url, self.auth, json=body)
        if not answer.ok:
            raise self.http.make_refusal(answer, url)
        value = answer.json()
        if not isinstance(value, dict) or not {"post_url", "form_data", "dist_id"} <= set(value):
            raise Unreachable(f"{url} returned no upload URL", "check that it is Anaconda's API")
        return value

    def _take_back(self, file: ReleaseFile) -> None:
        """Delete a stage that was never committed: it blocks the file name."""
        url = self._url("dist", file)
        answer = self.http.request_once("DELETE", url, self.auth)
        if not answer.ok and answer.status != 404:
            raise self.http.make_refusal(answer, url)

    def _upload(self, file: ReleaseFile, staged: dict[str, Any], progress: Progress) -> None:
        """Upload the file to the URL of the stage; that server gets the form, never our token."""
        md5 = base64.b64encode(bytes.fromhex(file.artifact.md5)).decode()
        form = {
            **staged["form_data"],
            "Content-Length": str(file.artifact.size),
            "Content-MD5": md5,
        }
        fields = [(key, str(value)) for key, value in form.items()]
        content = ("file", file.artifact.path, file.name, "application/octet-stream")
        answer = self.http.send_form(
            staged["post_url"], HeaderAuth(), UploadForm(content, fields), progress
        )
        if answer.status not in (200, 201, 204):
            raise self._make_storage_error(answer, file)

    def _make_storage_error(self, answer: HttpResult, file: ReleaseFile) -> Refused:
        code = re.search(r"<Code>([^<]*)</Code>", answer.text())
        why = code.group(1) if code else answer.reason
        hint = suggest_action(answer.status, self.http.auth_context) if answer.status == 413 else ""
        return Refused(
            "not-stored",
            f"{file.name} was not stored: {why}",
            hint
            or "run the same command again; if it fails again, contact the server's administrator",
            answer.status,
        )


def get_api_basename(artifact: Artifact) -> str:
    """`noarch/name-1.0-py_0.conda` for conda packages, the bare name for the others."""
    if artifact.kind.is_conda:
        return f"{artifact.subdir}/{artifact.filename}"
    return artifact.filename


def make_upload_bodies(file: ReleaseFile, labels: tuple[str, ...]) -> UploadBodies:
    """Make the API's bodies from the package's own metadata."""
    artifact = file.artifact
    if artifact.kind.is_conda:
        about = json.loads(read_info(artifact.path).get("info/about.json", b"{}") or b"{}")
        attrs, dependencies = _read_conda_attributes(artifact)
        kind = "conda"
    else:
        about, (attrs, dependencies) = (
            _read_core_metadata(artifact),
            (_read_pypi_attributes(artifact), {}),
        )
        kind = "pypi"
    summary = str(about.get("summary") or "")
    licence = {"name": about.get("license"), "url": about.get("license_url")}
    public = {
        "name": artifact.name,
        "summary": summary,
        "description": str(about.get("description") or ""),
        "license": {**licence, "family": about.get("license_family")},
        "package_types": [kind],
    }
    return UploadBodies(
        package={"public": True, "publish": False, "public_attrs": public},
        release={
            "requirements": [],
            "announce": None,
            "description": public["description"],
            "version": artifact.version,
            "home_page": about.get("home"),
            "summary": summary,
        },
        stage={
            "distribution_type": kind,
            "description": summary,
            "attrs": attrs,
            "dependencies": dependencies,
            "channels": list(labels),
            "sha256": artifact.sha256,
        },
    )


def _read_conda_attributes(artifact: Artifact) -> tuple[dict[str, Any], dict[str, Any]]:
    index = json.loads(artifact.metadata)
    attrs = {key: value for key, value in index.items() if key not in ("name", "version")}
    attrs["subdir"] = artifact.subdir
    depends = [_parse_dependency(spec) for spec in artifact.depends]
    return attrs, {"depends": depends}


def _parse_dependency(spec: str) -> dict[str, Any]:
    """`python >=3.9` as `{"name": "python", "specs": [[">=", "3.9"]]}`."""
    name, _, version = spec.strip().partition(" ")
    if not version:
        return {"name": name, "specs": []}
    found = OPERATOR.match(version)
    return {"name": name, "specs": [list(found.groups()) if found else ["==", version]]}


def _read_pypi_attributes(artifact: Artifact) -> dict[str, Any]:
    if artifact.kind is Kind.SDIST:
        return {"packagetype": "sdist", "python_version": "source", "abi": None, "build_no": 0}
    python, abi, _ = artifact.tags[0].split("-")
    return {
        "packagetype": "bdist_wheel",
        "python_version": python,
        "abi": abi,
        "build_no": artifact.build or 0,
    }


def _read_core_metadata(artifact: Artifact) -> dict[str, Any]:
    from packaging.metadata import parse_email

    raw, _ = parse_email(artifact.metadata)
    licence = raw.get("license_expression") or raw.get("license")
    return {
        "summary": raw.get("summary"),
        "license": licence,
        "home": raw.get("home_page"),
        "description": raw.get("description", ""),
    }
