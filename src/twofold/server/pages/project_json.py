"""PyPI's JSON API of a project: info, urls, releases."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from packaging.metadata import parse_email

from twofold.artifact import Kind
from twofold.names.version_order import sort_newest_first
from twofold.server.model import Project, StoredFile
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


def build_project(
    project: Project, files: Sequence[StoredFile], version: str | None, base: str, serial: int
) -> dict[str, Any]:
    """Build the response for a release, or (None) for the newest one with all releases.

    `files` are those of the PyPI side, at least one; `base` is the channel's URL.
    """
    usable = [file for file in files if file.yanked is None] or list(files)
    chosen = version or sort_newest_first({file.version for file in usable}, ())[0]
    mine = [file for file in files if file.version == chosen]
    value: dict[str, Any] = {
        "info": _build_info(project, mine, base),
        "last_serial": serial,
        "urls": [_build_file(file, base) for file in mine],
        "vulnerabilities": [],
    }
    if version is None:
        releases: dict[str, list[dict[str, Any]]] = {}
        for file in files:
            releases.setdefault(file.version, []).append(_build_file(file, base))
        value["releases"] = releases
    return value


def _build_info(project: Project, files: Sequence[StoredFile], base: str) -> dict[str, Any]:
    best = min(files, key=lambda file: file.kind is not Kind.WHEEL)
    raw, _ = parse_email(best.metadata)
    metadata: dict[str, Any] = dict(raw)
    info = {key: metadata.get(field) for key, field in _FIELDS.items()}
    info["keywords"] = ",".join(metadata.get("keywords", []))
    reasons = [file.yanked for file in files if file.yanked]
    info.update(
        package_url=f"{base}/simple/{project.key}/",
        project_url=f"{base}/simple/{project.key}/",
        release_url=f"{base}/simple/{project.key}/",
        yanked=all(file.yanked is not None for file in files),
        yanked_reason=reasons[0] if reasons else None,
    )
    return info


def _build_file(file: StoredFile, base: str) -> dict[str, Any]:
    when = file.uploaded_at
    wheel = file.kind is Kind.WHEEL
    return {
        "comment_text": "",
        "digests": {"md5": file.md5, "sha256": file.sha256},
        "downloads": -1,
        "filename": file.filename,
        "has_sig": False,
        "md5_digest": file.md5,
        "packagetype": "bdist_wheel" if wheel else "sdist",
        "python_version": file.tags[0].partition("-")[0] if wheel and file.tags else "source",
        "requires_python": file.requires_python,
        "size": file.size,
        "upload_time": when.strftime("%Y-%m-%dT%H:%M:%S"),
        "upload_time_iso_8601": when.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "url": f"{base}/{make_file_path(file)}",
        "yanked": file.yanked is not None,
        "yanked_reason": file.yanked or None,
    }


def serialize(value: dict[str, Any]) -> bytes:
    """Serialize the response as JSON."""
    return json.dumps(value, ensure_ascii=False).encode()
