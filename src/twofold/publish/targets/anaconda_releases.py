"""Change releases at Anaconda.org: status, deletion and promotion by its API."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from twofold.publish.targets.anaconda import AnacondaOrg
from twofold.publish.targets.release_managers import (
    Promotion,
    PublishedFile,
    PublishedProject,
    ReadOnlyManager,
    request_change,
    require_object,
)


@dataclass
class AnacondaManager(ReadOnlyManager):
    """An owner's packages at Anaconda.org, or at a server with its API."""

    target: AnacondaOrg
    verbs = frozenset({"delete", "promote"})

    def read(self, project: str) -> PublishedProject:
        """Read the files of a package with their labels."""
        url = self._url("package", project)
        answer = self.target.http.get(url, self.target.auth)
        if answer.status == 404:
            return PublishedProject()
        value = require_object(self.target, answer, url)
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
            request_change(self.target, "DELETE", url, None, {404})

    def promote(self, project: str, files: Sequence[PublishedFile], promotion: Promotion) -> None:
        """Add a label to an owner's files, or copy files of another owner."""
        for file in files:
            if promotion.source.owner == self.target.settings.owner:
                url = self._url("channels", promotion.to_label)
                body = {"package": project, "version": file.version, "basename": file.name}
                request_change(self.target, "POST", url, body)
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
        request_change(self.target, "PATCH", url, body)

    def _url(self, verb: str, *parts: str) -> str:
        base, owner = self.target.settings.url.rstrip("/"), self.target.settings.owner
        return f"{base}/{verb}/" + "/".join(map(quote, (owner, *parts)))
