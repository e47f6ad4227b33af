"""Indexes with PyPI's legacy upload API: PyPI, devpi, pypiserver, twofold registries.

The form is the one that twine sends; files are looked up in the
target's simple index.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from twofold.artifact import Kind
from twofold.errors import BadFile, Problem, Refused
from twofold.formats.core_metadata import parse_raw_metadata
from twofold.names import normalize_name
from twofold.publish import rules
from twofold.publish.addresses import Credentials, can_share_login, toggle_slash
from twofold.publish.files import ATTEST_AGAIN, ReleaseFile
from twofold.publish.http import HeaderAuth, HttpClient, basic_auth, find_redirect
from twofold.publish.responses import HttpResult, is_name_taken
from twofold.publish.targets.lookup import fetch_files, fetch_page
from twofold.publish.targets.protocol import (
    PYPI_KINDS,
    RemoteState,
    UploadRule,
    as_already_published,
    describe_account,
    find_missing_token,
    state_from_fetch,
)
from twofold.publish.targets.release_managers import (
    PublishedProject,
    ReadOnlyManager,
    parse_pypi_file,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.transport.request_bodies import Progress, UploadForm

if TYPE_CHECKING:
    from twofold.index.simple_parser import ProjectPage


class LegacyIndex:
    """An index that takes uploads at `settings.url` and lists them at `settings.index`.

    `is_open` is True if it may accept anonymous uploads, as pypiserver can be configured to.
    `read_auth` is used for its pages, `auth` unless given.
    """

    accepts: frozenset[Kind] = PYPI_KINDS
    default_kinds: frozenset[Kind] = PYPI_KINDS
    attestation_kinds = PYPI_KINDS
    #: Why its files cannot be looked up, if they cannot.
    remark = "its simple index is unknown"

    def __init__(
        self,
        settings: TargetSettings,
        http: HttpClient,
        auth: HeaderAuth | None,
        rules: tuple[UploadRule, ...] = (),
        *,
        is_open: bool = True,
        read_auth: HeaderAuth | None = None,
    ) -> None:
        self.read_auth = read_auth or auth
        self.rules = rules
        self.is_open = is_open
        self.settings = settings
        self.http = http
        self.auth = auth

    @property
    def account(self) -> str:
        """As whom files are sent."""
        return describe_account(self.http)

    def preflight(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        """Check the token before anything is sent."""
        return None if self.is_open else find_missing_token(self.http)

    def probe(self, file: ReleaseFile) -> RemoteState:
        """Look up the file's name."""
        if not self.settings.index:
            return RemoteState("unknown", note=self.remark)
        page = fetch_page(self.http, self.settings.index, file.artifact.name, self.read_auth)
        there = page.by_name.get(file.name)
        if there is None and page.status in ("archived", "quarantined"):
            message = f"the project is {page.status} there and accepts no new files (PEP 792)"
            refusal = Problem(message, "ask an owner of the project to change its status")
            return RemoteState("absent", refusal=refusal, rule=f"project-{page.status}")
        if there is None:
            return RemoteState("absent")
        digest = there.sha256 or self._hash_file(there.url, file)
        return RemoteState("present", digest, there.url, describe_yank(there.yanked))

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        """Upload the file once; returns its URL."""
        fields = make_legacy_form(file)
        content = ("content", file.artifact.path, file.name, "application/octet-stream")
        form = UploadForm(content, fields)
        url = self.settings.url
        answer = self.http.send_form(url, self.auth, form, progress)
        if self._is_other_spelling(answer):
            # Servers that are exact about the slash take no body at the other spelling.
            again = self.http.send_form(toggle_slash(url), self.auth, form, progress)
            answer = answer if self._is_other_spelling(again) else again
        if answer.ok:
            value = answer.json()
            return str(value.get("url", "")) if isinstance(value, dict) else ""
        if is_name_taken(answer):
            raise as_already_published(self.http.make_refusal(answer, self.settings.url))
        raise self.http.make_refusal(answer, self.settings.url)

    def _is_other_spelling(self, answer: HttpResult) -> bool:
        """Whether an upload belongs to the URL with the slash at its end, or without it."""
        if not 300 <= answer.status < 400:
            return answer.status in (404, 405)
        return find_redirect(answer, self.settings.url) == toggle_slash(self.settings.url)

    @property
    def is_readable(self) -> bool:
        """Whether the simple index is known."""
        return bool(self.settings.index)

    def fetch(self, file: ReleaseFile) -> RemoteState:
        """Fetch the file back and compute its hash."""
        there = fetch_files(self.http, self.settings.index, file.artifact.name, self.read_auth)
        if file.name not in there:
            return RemoteState("absent")
        url = there[file.name].url
        return state_from_fetch(self._hash_file(url, file), url)

    def _hash_file(self, url: str, file: ReleaseFile) -> str | None:
        """The SHA-256 of what is at a file's URL; None if nothing is."""
        return self.http.fetch_sha256(url, self._choose_auth(url), file.artifact.size)

    def _choose_auth(self, url: str) -> HeaderAuth | None:
        """The credentials for a file, whose URL may be on any host.

        They are sent only to the servers of the index and of the uploads.
        """
        homes = (self.settings.index, self.settings.url)
        return self.read_auth if any(can_share_login(url, home) for home in homes) else None

    def whoami(self) -> str:
        """Return the account of the credentials."""
        return "unknown: the legacy upload API cannot verify tokens; the first upload will"

    def close(self) -> None:
        """Close the connection."""
        self.http.close()


def describe_yank(reason: str | None) -> str:
    """The remark about a file that is yanked, with the reason if there is one."""
    return "" if reason is None else ": ".join(filter(None, ("yanked", reason)))


#: A field of the metadata as `packaging` has it -> its name in the form, where that is another.
_FORM_NAMES = {
    "platforms": "platform",
    "supported_platforms": "supported_platform",
    "license_files": "license_file",
}
#: Fields of newer metadata that the form does not have yet.
_NOT_IN_FORM = ("import_names", "import_namespaces")


def make_legacy_form(file: ReleaseFile) -> list[tuple[str, Any]]:
    """Make the fields of the upload form, metadata key by key, as twine does.

    Fields that are newer than Metadata-Version are sent too: whether the index refuses them is for
    its rules to say.
    """
    artifact = file.artifact
    is_wheel = artifact.kind is Kind.WHEEL
    fields: list[tuple[str, Any]] = [(":action", "file_upload"), ("protocol_version", "1")]
    for key, value in parse_raw_metadata(artifact.metadata)[0].items():
        name = _FORM_NAMES.get(key, key)
        if key == "name":
            fields.append((name, re.sub("[^A-Za-z0-9.]+", "-", str(value))))
        elif key == "keywords" and isinstance(value, list):
            fields.append((name, ", ".join(value)))
        elif isinstance(value, dict):  # project_urls
            fields += [(name, f"{label}, {address}") for label, address in value.items()]
        elif isinstance(value, list):
            fields += [(name, str(item)) for item in value]
        elif key not in _NOT_IN_FORM:
            fields.append((name, str(value)))
    fields += [
        ("pyversion", file.name.split("-")[-3] if is_wheel else "source"),
        ("filetype", "bdist_wheel" if is_wheel else "sdist"),
    ]
    sha256, blake2 = hashlib.sha256(), hashlib.blake2b(digest_size=32)
    with artifact.path.open("rb") as stream:
        while block := stream.read(1 << 20):
            sha256.update(block)
            blake2.update(block)
    if sha256.hexdigest() != artifact.sha256:
        raise BadFile(
            "it has changed since it was checked", "run the command again", str(artifact.path)
        )
    fields += [("sha256_digest", artifact.sha256), ("blake2_256_digest", blake2.hexdigest())]
    if file.attestations:
        fields.append(
            ("attestations", json.dumps([_read_attestation(a) for a in file.attestations]))
        )
    return fields


def _read_attestation(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise BadFile("it is not valid JSON", ATTEST_AGAIN, str(path)) from error


def find_index(http: HttpClient, upload: str, auth: HeaderAuth | None) -> str:
    """Find the simple index of an upload URL by the conventions of servers; '' if none.

    A twofold registry and Warehouse: `legacy/` beside `simple/`; devpi: `+simple/` below;
    pypiserver: `simple/` below. Raises Unreachable if the server does not respond, Refused if
    it requires another login.
    """
    base = upload.rstrip("/")
    candidates = [f"{base}/+simple/", f"{base}/simple/"]
    if base.endswith("/legacy"):
        candidates.insert(0, base.removesuffix("legacy") + "simple/")
    closed = None
    for candidate in candidates:
        answer = http.get(candidate, auth, {"Accept": "text/html"})
        if answer.ok:
            return candidate
        if answer.status in (401, 403):
            closed = http.make_refusal(answer, candidate)
    if closed:
        raise closed
    return ""


def open_legacy_index(
    settings: TargetSettings, http: HttpClient, credentials: Credentials | None
) -> LegacyIndex:
    """Open an index, and find its simple index unless the settings have it.

    Without verification an index that cannot be read may still take uploads: the plan says why.
    """
    auth = basic_auth(credentials) if credentials else None
    index, remark = settings.index, LegacyIndex.remark
    try:
        index = index or find_index(http, settings.url, auth)
    except Refused as error:
        if settings.verify:
            raise
        remark = f"its simple index cannot be read: {error.problems[0].message}"
    own = replace(settings, index=index)
    read_auth = make_read_auth(settings)
    target = LegacyIndex(own, http, auth, (rules.core_metadata,), read_auth=read_auth)
    target.remark = remark
    return target


def make_read_auth(settings: TargetSettings) -> HeaderAuth | None:
    """The login in the URL of the index, as HTTP Basic; None if there is none."""
    found = settings.read_login
    return basic_auth(Credentials(found.secret, found.user)) if found and found.secret else None


@dataclass
class PageManager(ReadOnlyManager):
    """An index whose releases are changed on its web pages only (PyPI)."""

    target: LegacyIndex

    def read(self, project: str) -> PublishedProject:
        """Read the project's simple page."""
        index = self.target.settings.index
        if not index:
            return super().read(project)
        page: ProjectPage = fetch_page(self.target.http, index, project, self.target.read_auth)
        files = (
            replace(parse_pypi_file(file.filename), yanked=file.yanked, sha256=file.sha256)
            for file in page.files
        )
        return PublishedProject(tuple(files), page.status)

    def find_page(self, project: str, version: str) -> str:
        """The page of the release, beside the simple index; other indexes have no such page."""
        settings = self.target.settings
        if settings.kind != "pypi" or not settings.index:
            return ""
        parts = urlsplit(settings.index)
        page = f"{parts.scheme}://{parts.netloc}/manage/project/{normalize_name(project)}/"
        return f"{page}release/{quote(version)}/" if version else f"{page}releases/"
