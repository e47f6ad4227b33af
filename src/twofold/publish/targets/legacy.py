"""Indexes with PyPI's legacy upload API: PyPI, TestPyPI, devpi, pypiserver, a twofold registry.

The form is the one twine sends (made by twine's own PackageFile), the page that is looked into
is the target's simple index.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from requests.auth import AuthBase

from twofold.artifact import Kind
from twofold.errors import BadFile, Problem
from twofold.publish.addresses import may_have_login_of
from twofold.publish.answers import says_file_exists
from twofold.publish.configuration import TargetSettings
from twofold.publish.files import ReleaseFile
from twofold.publish.http import Form, Http, Progress
from twofold.publish.targets.protocol import (
    PYPI_KINDS,
    Rule,
    Seen,
    already_there,
    fetched,
    needs_token,
)
from twofold.publish.targets.simple_index import files_of, page_of


class LegacyIndex:
    """An index that takes uploads at `settings.url` and shows them at `settings.index`.

    `is_open` says that it may take files from anybody, as a pypiserver can be told to. `reader`
    is what its pages are asked with, where that is something else than `auth`.
    """

    takes: frozenset[Kind] = PYPI_KINDS
    is_for: frozenset[Kind] = PYPI_KINDS
    attested = PYPI_KINDS

    def __init__(
        self,
        settings: TargetSettings,
        http: Http,
        auth: AuthBase | None,
        rules: tuple[Rule, ...] = (),
        *,
        is_open: bool = True,
        reader: AuthBase | None = None,
    ) -> None:
        self.reader = reader or auth
        self.rules = rules
        self.is_open = is_open
        self.settings = settings
        self.http = http
        self.auth = auth

    def objection(self, _files: Sequence[ReleaseFile], /) -> Problem | None:
        return None if self.is_open else needs_token(self.http)

    def look(self, file: ReleaseFile) -> Seen:
        if not self.settings.index:
            return Seen("unknown", note="its simple index is not known")
        page = page_of(self.http, self.settings.index, file.artifact.name, self.reader)
        there = page.files.get(file.name)
        if there is None and page.status in ("archived", "quarantined"):
            told = f"the project is {page.status} there and takes no new files (PEP 792)"
            refusal = Problem(told, "whoever looks after the project can change its status")
            return Seen("absent", refusal=refusal, rule=f"project-{page.status}")
        if there is None:
            return Seen("absent")
        digest = there.sha256 or self.http.sha256_of(there.url, self._login_for(there.url))
        yanked = "" if there.yanked is None else ": ".join(filter(None, ("yanked", there.yanked)))
        return Seen("present", digest, there.url, yanked)

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        form = legacy_form(file)
        content = ("content", file.artifact.path, file.name, "application/octet-stream")
        answer = self.http.send_form(self.settings.url, self.auth, Form(content, form), progress)
        if answer.ok:
            value = answer.json()
            return str(value.get("url", "")) if isinstance(value, dict) else ""
        if says_file_exists(answer):
            raise already_there(self.http.refused(answer, self.settings.url))
        raise self.http.refused(answer, self.settings.url)

    @property
    def can_be_read(self) -> bool:
        return bool(self.settings.index)

    def fetch(self, file: ReleaseFile) -> Seen:
        there = files_of(self.http, self.settings.index, file.artifact.name, self.reader)
        if file.name not in there:
            return Seen("absent")
        url = there[file.name].url
        return fetched(self.http.sha256_of(url, self._login_for(url)), url)

    def _login_for(self, url: str) -> AuthBase | None:
        """What a file is fetched with: its page may name one anywhere, and the login is for the
        index's server and the one uploaded to."""
        homes = (self.settings.index, self.settings.url)
        return self.reader if any(may_have_login_of(url, home) for home in homes) else None

    def who(self) -> str:
        return "the legacy upload API has no way to ask; the first upload tells"

    def close(self) -> None:
        self.http.close()


def legacy_form(file: ReleaseFile) -> list[tuple[str, Any]]:
    """The fields of the upload form, metadata repeated key by key, as twine sends them."""
    from twine.exceptions import TwineException
    from twine.package import PackageFile

    try:
        package = PackageFile.from_filename(str(file.artifact.path), None)
        if file.attestations:
            package.add_attestations([str(path) for path in file.attestations])
    except TwineException as error:
        raise BadFile(str(error), "run twofold check on it", str(file.artifact.path)) from error
    fields: list[tuple[str, Any]] = [(":action", "file_upload"), ("protocol_version", "1")]
    for key, value in package.metadata_dictionary().items():
        if value is None or key == "gpg_signature":
            continue
        if isinstance(value, dict):  # project_urls
            fields += [(key, f"{label}, {address}") for label, address in value.items()]
        elif key == "keywords":
            fields.append((key, ", ".join(package.metadata["keywords"])))
        elif isinstance(value, (list, tuple)):
            fields += [(key, str(item)) for item in value]
        else:
            fields.append((key, str(value)))
    if package.sha2_digest != file.artifact.sha256:
        raise BadFile(
            "it has changed since it was checked", "run the command again", str(file.artifact.path)
        )
    return fields


def index_beside(http: Http, upload: str, auth: AuthBase | None) -> str:
    """The simple index that goes with an upload address, by what servers do; '' where none is.

    A twofold registry and Warehouse: `legacy/` beside `simple/`; devpi: `+simple/` below;
    pypiserver: `simple/` below. Raises Unreachable when the server does not answer, Refused when
    it wants another login.
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
            closed = http.refused(answer, candidate)
    if closed:
        raise closed
    return ""
