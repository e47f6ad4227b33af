"""What each kind of target can change of published releases: yank, delete, promote, status.

    registry    the management API (/api/manage): yank, unyank, delete, promote, status
    anaconda    the Anaconda.org API: delete, promote between labels and owners
    folder      the files themselves: delete, and write the index anew
    quetz, artifactory    their own deletion of a file
    pypi, legacy, others  nothing: users do it on the project's page, whose URL is given

A manager reads a project as it is published and makes one change at a time. Every change may be
repeated: it is a PUT, a DELETE, or a POST that leaves what is there.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from twofold.errors import Refused, TwofoldError
from twofold.index.folder import index_folder
from twofold.index.simple_parser import ProjectPage
from twofold.names import normalize_name
from twofold.publish.responses import HttpResult
from twofold.publish.targets.anaconda import AnacondaOrg
from twofold.publish.targets.conda_servers import CondaServer
from twofold.publish.targets.folder import Folder
from twofold.publish.targets.legacy import LegacyIndex
from twofold.publish.targets.lookup import fetch_page
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import TwofoldRegistry
from twofold.publish.targets.settings import TargetSettings

#: The subdirs looked at in a channel whose server has no list of a project's files.
SUBDIRS = ("noarch", "linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64", "win-arm64")

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


class _ReadOnly:
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


@dataclass
class RegistryManager(_ReadOnly):
    """A channel of a twofold registry, through its management API."""

    target: TwofoldRegistry
    verbs = frozenset({"yank", "unyank", "delete", "promote", "set-status"})

    def read(self, project: str) -> PublishedProject:
        """Read the project with its PyPI and conda files."""
        url = self._url("projects", project)
        answer = self.target.http.get(url, self.target.auth)
        if answer.status == 404 and _error_code(answer) != "no-channel":
            return PublishedProject()
        value = _require_object(self.target, answer, url)
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
        _request(self.target, method, url, body, {404} if may_be_gone else ())


@dataclass
class AnacondaManager(_ReadOnly):
    """An owner's packages at Anaconda.org, or at a server with its API."""

    target: AnacondaOrg
    verbs = frozenset({"delete", "promote"})

    def read(self, project: str) -> PublishedProject:
        """Read the files of a package with their labels."""
        url = self._url("package", project)
        answer = self.target.http.get(url, self.target.auth)
        if answer.status == 404:
            return PublishedProject()
        value = _require_object(self.target, answer, url)
        files = (
            PublishedFile(
                str(row["basename"]),
                str(row.get("version", "")),
                labels=tuple(row.get("labels") or ()),
                sha256=str(row.get("sha256") or ""),
            )
            for row in value.get("files", ())
        )
        return PublishedProject(tuple(files))

    def delete(self, project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files."""
        for file in files:
            url = self._url("dist", project, file.version, *file.name.split("/"))
            _request(self.target, "DELETE", url, None, {404})

    def promote(self, project: str, files: Sequence[PublishedFile], promotion: Promotion) -> None:
        """Add a label to an owner's files, or copy files of another owner."""
        for file in files:
            if promotion.source.owner == self.target.settings.owner:
                url = self._url("channels", promotion.to_label)
                body = {"package": project, "version": file.version, "basename": file.name}
                _request(self.target, "POST", url, body)
            else:
                self._copy(project, file, promotion)

    def _copy(self, project: str, file: PublishedFile, promotion: Promotion) -> None:
        base = self.target.settings.url.rstrip("/")
        parts = [promotion.source.owner, project, file.version, *file.name.split("/")]
        url = f"{base}/copy/package/" + "/".join(map(quote, parts))
        body = {
            "to_owner": self.target.settings.owner,
            "from_channel": promotion.from_label,
            "to_channel": promotion.to_label,
        }
        # PATCH adds the label to a file that is there; POST would refuse it with 409.
        _request(self.target, "PATCH", url, body)

    def _url(self, verb: str, *parts: str) -> str:
        base, owner = self.target.settings.url.rstrip("/"), self.target.settings.owner
        return f"{base}/{verb}/" + "/".join(map(quote, (owner, *parts)))


@dataclass
class FolderManager(_ReadOnly):
    """A static index and channel in a folder."""

    target: Folder
    verbs = frozenset({"delete"})

    def read(self, project: str) -> PublishedProject:
        """Read the project's page and the repodata of every subdir."""
        root, key = Path(self.target.settings.url), normalize_name(project)
        page = root / "simple" / key / "index.json"
        rows = json.loads(page.read_text("utf-8")).get("files", ()) if page.is_file() else ()
        found = [_parse_pypi_file(str(row["filename"])) for row in rows]
        for file in sorted(root.glob("*/repodata.json")):
            document = json.loads(file.read_text("utf-8"))
            found += _parse_repodata(document, file.parent.name, key)
        return PublishedProject(tuple(found))

    def delete(self, _project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files, then write the pages anew."""
        root = Path(self.target.settings.url)
        for file in files:
            (root / file.name).unlink(missing_ok=True)
            (root / f"{file.name}.metadata").unlink(missing_ok=True)  # PEP 658
        index_folder(root, workers=0)


@dataclass
class CondaServerManager(_ReadOnly):
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
            value = _require_object(self.target, answer, url)
            found += _parse_repodata(value, subdir, normalize_name(project))
        return PublishedProject(tuple(found))

    def delete(self, project: str, files: Sequence[PublishedFile]) -> None:
        """Delete files."""
        settings = self.target.settings
        for file in files:
            url = f"{settings.url.rstrip('/')}/{quote(file.name)}"
            if settings.kind == "quetz":
                base = f"{settings.url.rstrip('/')}/api/channels/{settings.channel}"
                url = f"{base}/packages/{quote(project)}/versions/{quote(file.name)}"
            _request(self.target, "DELETE", url, None, {404})


@dataclass
class PageManager(_ReadOnly):
    """An index whose releases are changed on its web pages only (PyPI)."""

    target: LegacyIndex

    def read(self, project: str) -> PublishedProject:
        """Read the project's simple page."""
        index = self.target.settings.index
        if not index:
            return super().read(project)
        page: ProjectPage = fetch_page(self.target.http, index, project, self.target.read_auth)
        files = (
            replace(_parse_pypi_file(file.filename), yanked=file.yanked, sha256=file.sha256)
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


#: Class of the target -> its manager; other targets can only be read by their own tools.
_MANAGERS: Mapping[type, Callable[[Any], ReleaseManager]] = {
    TwofoldRegistry: RegistryManager,
    AnacondaOrg: AnacondaManager,
    Folder: FolderManager,
    CondaServer: CondaServerManager,
    LegacyIndex: PageManager,
}


def make_manager(target: Target) -> ReleaseManager:
    """Make the manager of an open target."""
    make = _MANAGERS.get(type(target))
    return make(target) if make else _ReadOnly()


def _parse_pypi_file(name: str) -> PublishedFile:
    """The version in the name of a wheel or an sdist; '' if it cannot be read."""
    try:
        if name.endswith(".whl"):
            return PublishedFile(name, str(parse_wheel_filename(name)[1]))
        return PublishedFile(name, str(parse_sdist_filename(name)[1]))
    except (InvalidWheelFilename, InvalidSdistFilename):
        return PublishedFile(name, "")


def _parse_repodata(document: Mapping[str, Any], subdir: str, key: str) -> list[PublishedFile]:
    """The packages of a project in one subdir."""
    records = {**document.get("packages", {}), **document.get("packages.conda", {})}
    return [
        PublishedFile(f"{subdir}/{name}", str(record["version"]), sha256=record.get("sha256", ""))
        for name, record in records.items()
        if normalize_name(record["name"]) == key
    ]


def _request(
    target: TwofoldRegistry | AnacondaOrg | CondaServer,
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


def _require_object(
    target: TwofoldRegistry | AnacondaOrg | CondaServer, answer: HttpResult, url: str
) -> dict[str, Any]:
    value = answer.json()
    if not answer.ok:
        raise target.http.make_refusal(answer, url)
    if not isinstance(value, dict):
        raise Refused("not-json", f"{url} returned no JSON object", "check the URL of the target")
    return value


def _error_code(answer: HttpResult) -> str:
    value = answer.json()
    return str(value.get("code", "")) if isinstance(value, dict) else ""
