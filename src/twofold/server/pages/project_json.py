"""PyPI's JSON API of a project: info, urls, releases."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from packaging.metadata import parse_email

from twofold.artifact import Kind
from twofold.names.version_order import sort_newest_first
from twofold.server.model import StoredFile
from twofold.server.pages.simple_pages import make_file_path

#: JSON key -> key of packaging's raw metadata.
_FIELDS = {
    "author": "author",
    "author_email": "author_email",
    "classifiers": "classifiers",
    "description": "description",
    "description_content_type": "description_content_type",
    "download_url": "download_url",
    "dynamic": "dynamic",
    "home_page": "home_page",
    "keywords": "keywords",
    "license": "license",
    "license_expression": "license_expression",
    "license_files": "license_files",
    "maintainer": "maintainer",
    "maintainer_email": "maintainer_email",
    "name": "name",
    "platform": "platforms",
    "project_urls": "project_urls",
    "provides_extra": "provides_extra",
    "requires_dist": "requires_dist",
    "requires_python": "requires_python",
    "summary": "summary",
    "version": "version",
}


@dataclass(frozen=True)
class ReleaseFile:
    """A file of a release as the API lists it.

    `entry` is its value in `urls`; `metadata` its METADATA or PKG-INFO, None where it is not known.
    """

    version: str
    entry: dict[str, Any]
    metadata: bytes | None = None


def describe_stored(file: StoredFile, base: str) -> ReleaseFile:
    """Describe a stored file; `base` is the URL above `files/`."""
    wheel = file.kind is Kind.WHEEL
    description = {
        "md5": file.md5,
        "sha256": file.sha256,
        "filename": file.filename,
        "packagetype": "bdist_wheel" if wheel else "sdist",
        "python_version": file.tags[0].partition("-")[0] if wheel and file.tags else "source",
        "requires_python": file.requires_python,
        "size": file.size,
        "upload_time": file.uploaded_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "url": f"{base}/{make_file_path(file)}",
        "yanked": file.yanked,
    }
    return ReleaseFile(file.version, make_entry(description), file.metadata)


def make_entry(file: Mapping[str, Any]) -> dict[str, Any]:
    """Make a file's value in `urls`; `yanked` is the reason, None for a file that is not."""
    md5, when = file.get("md5", ""), str(file["upload_time"] or "")
    return {
        "comment_text": "",
        "digests": {"md5": md5, "sha256": file["sha256"]} if md5 else {"sha256": file["sha256"]},
        "downloads": -1,
        "filename": file["filename"],
        "has_sig": False,
        "md5_digest": md5,
        "packagetype": file["packagetype"],
        "python_version": file["python_version"],
        "requires_python": file["requires_python"],
        "size": file["size"],
        "upload_time": when[:19],
        "upload_time_iso_8601": when,
        "url": file["url"],
        "yanked": file["yanked"] is not None,
        "yanked_reason": file["yanked"] or None,
    }


def choose_release(files: Sequence[ReleaseFile]) -> str:
    """Return the newest release with a file that is not yanked; `files` has at least one."""
    usable = [file for file in files if not file.entry["yanked"]] or list(files)
    return sort_newest_first({file.version for file in usable}, ())[0]


def build_project(
    key: str, files: Sequence[ReleaseFile], version: str | None, base: str, serial: int
) -> dict[str, Any]:
    """Build the response for a release, or (None) for the newest one with all releases.

    `files` are those of the PyPI side, at least one; `base` is the channel's URL.
    """
    chosen = version or choose_release(files)
    mine = [file for file in files if file.version == chosen]
    value: dict[str, Any] = {
        "info": _build_info(key, mine, base),
        "last_serial": serial,
        "urls": [file.entry for file in mine],
        "vulnerabilities": [],
    }
    if version is None:
        releases: dict[str, list[dict[str, Any]]] = {}
        for file in files:
            releases.setdefault(file.version, []).append(file.entry)
        value["releases"] = releases
    return value


def _build_info(key: str, files: Sequence[ReleaseFile], base: str) -> dict[str, Any]:
    best = min(
        files, key=lambda file: (file.metadata is None, file.entry["packagetype"] != "bdist_wheel")
    )
    raw, _ = parse_email(best.metadata or b"")
    metadata: dict[str, Any] = {"name": key, "version": best.version, **raw}
    metadata.setdefault("requires_python", best.entry["requires_python"])
    info = {key: metadata.get(field) for key, field in _FIELDS.items()}
    info["keywords"] = ",".join(metadata.get("keywords", []))
    reasons = [file.entry["yanked_reason"] for file in files if file.entry["yanked_reason"]]
    info.update(
        package_url=f"{base}/simple/{key}/",
        project_url=f"{base}/simple/{key}/",
        release_url=f"{base}/simple/{key}/",
        yanked=all(file.entry["yanked"] for file in files),
        yanked_reason=reasons[0] if reasons else None,
    )
    return info


def serialize(value: dict[str, Any]) -> bytes:
    """Serialize the response as JSON."""
    return json.dumps(value, ensure_ascii=False).encode()
