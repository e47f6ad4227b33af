"""What each kind of target can change of published releases: yank, delete, promote, status.

    registry    the management API (/api/manage): yank, unyank, delete, promote, status
    anaconda    the Anaconda.org API: delete, promote between labels and owners
    folder      the files themselves: delete, and write the index again
    quetz, artifactory    their own deletion of a file
    pypi, legacy, others  nothing: users do it on the project's page, whose URL is given

A manager is in the module of its target. It reads a project as it is published and makes one change
at a time. Every change may be repeated: a PUT, a DELETE, or a POST that leaves what is there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

from twofold.errors import Refused, TwofoldError
from twofold.names import normalize_name
from twofold.publish.http import HeaderAuth, HttpClient
from twofold.publish.responses import HttpResult
from twofold.publish.targets.settings import TargetSettings

READ_ONLY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class PublishedFile:
    """A file of a release, by its basename (`noarch/NAME.conda` for packages).

    `yanked` is the reason, '' for none, None for a file that is not yanked.
    """

    name: str
    version: str
    yanked: str | None = None
    labels: tuple[str, ...] = ()
    sha256: str = ""


@dataclass(frozen=True)
class PublishedProject:
    """A project at a target; `status` is PEP 792's, '' where the target has none."""

    files: tuple[PublishedFile, ...] = ()
    status: str = ""
    reason: str = ""

    def list_files(self, version: str) -> list[PublishedFile]:
        """The files of a release, whose version may be spelled otherwise; all of them for ''."""
        return [file for file in self.files if not version or is_same(file.version, version)]


def is_same(version: str, other: str) -> bool:
    """Whether two versions are equal (PEP 440); conda's own versions are compared as text."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version) == Version(other)
    except InvalidVersion:
        return version == other


@dataclass(frozen=True)
class Promotion:
    """Where the files come from, and the labels they have there and get here."""

    source: TargetSettings
    from_label: str = "main"
    to_label: str = "main"


class ReleaseManager(Protocol):
    """Reads and changes one target's published releases."""

    @property
    def verbs(self) -> frozenset[str]:
        """The changes the target can make: yank, unyank, delete, promote, set-status."""
        ...

    def read(self, project: str) -> PublishedProject:
        """The project as it is published; empty if the target does not have it."""
        ...

    def find_page(self, project: str, version: str) -> str:
        """The URL of the page where users change the release; '' if unknown."""
        ...

    def set_yank(self, project: str, version: str, reason: str | None) -> None:
        """Yank a release with a reason ('' for none), or undo it (None)."""
        ...

    def delete(self, project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files."""
        ...

    def promote(self, project: str, files: Sequence[PublishedFile], promotion: Promotion) -> None:
        """Add files of another channel or label to this one, without copying bytes."""
        ...

    def set_status(self, project: str, status: str, reason: str) -> None:
        """Set the status of a project (PEP 792)."""
        ...


class ReadOnlyManager:
    """A target whose releases are changed elsewhere; every kind of manager is one of these."""

    verbs: frozenset[str] = READ_ONLY

    def read(self, project: str) -> PublishedProject:
        """Nothing is known of a target without pages."""
        raise TwofoldError(
            f"the target has no page that lists the files of {project}",
            "write a [targets.NAME] table with `index`, its simple index",
        )

    def find_page(self, _project: str, _version: str) -> str:
        """No page is known."""
        return ""

    def set_yank(self, _project: str, _version: str, _reason: str | None) -> None:
        """Raise TwofoldError: the plan refuses what is not among the verbs."""
        raise TwofoldError("this target cannot yank releases")

    def delete(self, _project: str, _files: Sequence[PublishedFile]) -> None:
        """Raise TwofoldError: the plan refuses what is not among the verbs."""
        raise TwofoldError("this target cannot delete files")

    def promote(
        self, _project: str, _files: Sequence[PublishedFile], _promotion: Promotion
    ) -> None:
        """Raise TwofoldError: the plan refuses what is not among the verbs."""
        raise TwofoldError("this target cannot promote releases")

    def set_status(self, _project: str, _status: str, _reason: str) -> None:
        """Raise TwofoldError: the plan refuses what is not among the verbs."""
        raise TwofoldError("this target has no status of projects")


def parse_pypi_file(name: str) -> PublishedFile:
    """The version in the name of a wheel or an sdist; '' if it cannot be read."""
    from packaging.utils import (  # 5 ms, which an upload does not pay
        InvalidSdistFilename,
        InvalidWheelFilename,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if name.endswith(".whl"):
            return PublishedFile(name, str(parse_wheel_filename(name)[1]))
        return PublishedFile(name, str(parse_sdist_filename(name)[1]))
    except (InvalidWheelFilename, InvalidSdistFilename):
        return PublishedFile(name, "")


def parse_repodata(document: Mapping[str, Any], subdir: str, key: str) -> list[PublishedFile]:
    """The packages of a project in one subdir."""
    records = {**document.get("packages", {}), **document.get("packages.conda", {})}
    return [
        PublishedFile(f"{subdir}/{name}", str(record["version"]), sha256=record.get("sha256", ""))
        for name, record in records.items()
        if normalize_name(record["name"]) == key
    ]


class WebTarget(Protocol):
    """A target with a connection and a token."""

    @property
    def http(self) -> HttpClient:
        """The connection."""
        ...

    @property
    def auth(self) -> HeaderAuth | None:
        """The token; None without one."""
        ...


def request_change(
    target: WebTarget,
    method: str,
    url: str,
    body: Any = None,
    accepted: Sequence[int] | set[int] = (),
) -> None:
    """Make one change, again after network errors; raises Refused for every refusal."""
    attempt = partial(target.http.request_once, method, url, target.auth, json=body)
    answer = target.http.with_retries(attempt)
    if not answer.ok and answer.status not in accepted:
        raise target.http.make_refusal(answer, url)


def require_object(target: WebTarget, answer: HttpResult, url: str) -> dict[str, Any]:
    """The JSON object of an answer; raises Refused if it is an error or something else."""
    value = answer.json()
    if not answer.ok:
        raise target.http.make_refusal(answer, url)
    if not isinstance(value, dict):
        raise Refused("not-json", f"{url} returned no JSON object", "check the URL of the target")
    return value


def get_error_code(answer: HttpResult) -> str:
    """The code of a registry's error; '' without one."""
    value = answer.json()
    return str(value.get("code", "")) if isinstance(value, dict) else ""
