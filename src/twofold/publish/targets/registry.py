"""A twofold registry: one address for both worlds.

Wheels and sdists go in through its legacy API (`<url>/legacy/`), conda packages by
`POST <url>/upload` with the file as the body.
"""

from __future__ import annotations

from dataclasses import replace

from requests.auth import AuthBase

from twofold.artifact import Kind
from twofold.publish.answers import says_file_exists
from twofold.publish.configuration import TargetSettings
from twofold.publish.files import ReleaseFile
from twofold.publish.http import Credentials, Http, Progress, basic, bearer
from twofold.publish.targets.channel_files import file_address, look_for
from twofold.publish.targets.legacy import LegacyIndex
from twofold.publish.targets.protocol import ALL_KINDS, AlreadyThere, Rule, Seen


class TwofoldRegistry:
    """A channel of a twofold registry, as `http://host/main`."""

    takes: frozenset[Kind] = ALL_KINDS
    is_for: frozenset[Kind] = ALL_KINDS
    rules: tuple[Rule, ...] = ()
    can_be_read = True

    def __init__(
        self, settings: TargetSettings, http: Http, credentials: Credentials | None
    ) -> None:
        self.settings = settings
        self.http = http
        self.auth: AuthBase | None = bearer(credentials) if credentials else None
        channel = settings.url.rstrip("/")
        python_side = replace(settings, url=f"{channel}/legacy/", index=f"{channel}/simple/")
        form_auth = basic(credentials) if credentials else None
        self.index = LegacyIndex(python_side, http, form_auth)

    def look(self, file: ReleaseFile) -> Seen:
        if not file.artifact.kind.is_conda:
            return self.index.look(file)
        return look_for(self.http, self.settings.url, file.artifact, self.auth)

    def send(self, file: ReleaseFile, progress: Progress) -> str:
        if not file.artifact.kind.is_conda:
            return self.index.send(file, progress)
        url = f"{self.settings.url.rstrip('/')}/upload"
        headers = {"x-file-name": file.name, "x-file-sha256": file.artifact.sha256}
        path = file.artifact.path
        answer = self.http.send_file("POST", url, self.auth, path, headers, progress)
        if answer.ok:
            value = answer.json()
            return str(value.get("url", "")) if isinstance(value, dict) else ""
        if says_file_exists(answer):
            raise AlreadyThere(str(self.http.refused(answer, url)))
        raise self.http.refused(answer, url)

    def fetch(self, file: ReleaseFile) -> str | None:
        if not file.artifact.kind.is_conda:
            return self.index.fetch(file)
        return self.http.sha256_of(file_address(self.settings.url, file.artifact), self.auth)

    def who(self) -> str:
        answer = self.http.get(f"{self.settings.url.rstrip('/')}/whoami", self.auth)
        if answer.status == 404:
            return "the registry does not tell"
        if not answer.ok:
            raise self.http.refused(answer, self.settings.url)
        value = answer.json()
        return str(value.get("user", value)) if isinstance(value, dict) else answer.text().strip()

    def close(self) -> None:
        self.http.close()
