"""What packages, releases and files look like in this API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from twofold.artifact import Kind
from twofold.server.model import Project, Stored
from twofold.server.registry.summaries import Hit, in_order

#: How this API calls the kinds of file.
TYPES = {Kind.WHEEL: "pypi", Kind.SDIST: "pypi", Kind.CONDA: "conda", Kind.TAR_BZ2: "conda"}

#: What a conda package's record says beyond the fields every file has.
_OF_RECORD = ("depends", "constrains", "license", "noarch", "timestamp")


def package(project: Project, files: Iterable[Stored], owner: str, public: bool) -> dict[str, Any]:
    files = list(files)
    versions = in_order({file.version for file in files})
    return {
        **_listed(project.name, owner, public, versions),
        "summary": project.summary,
        "description": str(project.attributes.get("description") or ""),
        "license": _license_name(project.attributes.get("license")),
        "package_types": sorted({TYPES[file.kind] for file in files}),
        "conda_platforms": sorted({file.subdir for file in files if file.subdir}),
        "builds": sorted({file.build for file in files if file.build}),
        "releases": [
            release(version, [file for file in files if file.version == version], project, owner)
            for version in versions
        ],
        "files": [dist(file, project, owner) for file in files],
    }


def listed(hit: Hit) -> dict[str, Any]:
    """A package in a list: without its files."""
    one, owner = hit.project, hit.channel.name
    return {
        **_listed(one.name, owner, hit.channel.public, in_order(one.versions)),
        "summary": one.summary,
        "package_types": sorted({TYPES[kind] for kind in one.kinds}),
        "conda_platforms": sorted(one.subdirs),
        "builds": sorted(one.builds),
    }


def _listed(name: str, owner: str, public: bool, versions: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "full_name": f"{owner}/{name}",
        "public": public,
        "owner": {"login": owner},
        "versions": versions,
        "latest_version": versions[-1] if versions else "",
    }


def _license_name(told: Any) -> str:
    return str(told.get("name") or "") if isinstance(told, dict) else str(told or "")


def release(
    version: str, files: Iterable[Stored], project: Project, owner: str, told: Any = None
) -> dict[str, Any]:
    attributes = told if isinstance(told, dict) else {}
    return {
        "version": version,
        "full_name": f"{owner}/{project.name}/{version}",
        "distributions": [dist(file, project, owner) for file in files],
        "public_attrs": {"description": "", "summary": "", **attributes},
    }


def dist(file: Stored, project: Project, owner: str) -> dict[str, Any]:
    return {
        "basename": file.basename,
        "full_name": f"{owner}/{project.name}/{file.version}/{file.basename}",
        "owner": owner,
        "version": file.version,
        "size": file.size,
        "md5": file.md5,
        "sha256": file.sha256,
        "type": TYPES[file.kind],
        "distribution_type": TYPES[file.kind],
        "upload_time": file.uploaded_at.isoformat(),
        "labels": sorted(file.labels),
        "description": "",
        "yanked": file.yanked,
        "dependencies": {"depends": list(file.depends)},
        "attrs": _attributes(file),
    }


def _attributes(file: Stored) -> dict[str, Any]:
    """From the file itself, never from what was told beside it."""
    if file.kind.is_conda:
        record = json.loads(file.record or "{}")
        own = {"subdir": file.subdir, "build": file.build, "build_number": file.build_number}
        return {**own, **{key: record[key] for key in _OF_RECORD if key in record}}
    kind = "bdist_wheel" if file.kind is Kind.WHEEL else "sdist"
    attributes: dict[str, Any] = {"packagetype": kind, "requires_python": file.requires_python}
    if file.kind is Kind.WHEEL:
        attributes["tags"] = list(file.tags)
    return attributes
