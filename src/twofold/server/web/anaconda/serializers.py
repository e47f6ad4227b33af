"""JSON representations of packages, releases and files in this API."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from twofold.artifact import Kind
from twofold.server.model import Project, StoredFile
from twofold.server.registry.browsing.search import SearchHit
from twofold.server.registry.lifecycle import FILES
from twofold.server.registry.queries import list_versions

#: Kind of file -> package type in this API.
PACKAGE_TYPES = {Kind.WHEEL: "pypi", Kind.SDIST: "pypi", Kind.CONDA: "conda", Kind.TAR_BZ2: "conda"}

#: Fields of a conda package's record beyond those of every file.
_RECORD_FIELDS = ("depends", "constrains", "license", "noarch", "timestamp")


@dataclass(frozen=True)
class ViewContext:
    """The project in the path with its files (of one version, if given).

    `release_attributes` are the attributes that uploaders gave its releases, by version.
    """

    channel: str
    public: bool
    project: Project
    files: list[StoredFile]
    owner: str
    release_attributes: dict[str, dict[str, Any]]


def serialize_package(context: ViewContext, files: Iterable[StoredFile]) -> dict[str, Any]:
    """Serialize a package with its releases and files."""
    files, project = list(files), context.project
    versions = list_versions(files)
    return {
        **_common_fields(project.name, context.owner, context.public, versions),
        "summary": project.summary,
        "description": str(project.attributes.get("description") or ""),
        "license": _get_license_name(project.attributes.get("license")),
        "package_types": sorted({PACKAGE_TYPES[file.kind] for file in files}),
        "conda_platforms": sorted({file.subdir for file in files if file.subdir}),
        "builds": sorted({file.build for file in files if file.build}),
        "releases": [
            serialize_release(context, version, [file for file in files if file.version == version])
            for version in versions
        ],
        "files": [serialize_file(context, file) for file in files],
    }


def serialize_hit(hit: SearchHit) -> dict[str, Any]:
    """Serialize a package for a list, without its files."""
    one, owner = hit.project, hit.channel.name
    return {
        **_common_fields(one.name, owner, hit.channel.public, one.versions_oldest_first),
        "summary": one.summary,
        "package_types": sorted({PACKAGE_TYPES[kind] for kind in one.kinds}),
        "conda_platforms": sorted(one.subdirs),
        "builds": sorted(one.builds),
    }


def _common_fields(name: str, owner: str, public: bool, versions: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "full_name": f"{owner}/{name}",
        "public": public,
        "owner": {"login": owner},
        "versions": versions,
        "latest_version": versions[-1] if versions else "",
    }


def _get_license_name(given: Any) -> str:
    return str(given.get("name") or "") if isinstance(given, dict) else str(given or "")


def serialize_release(
    context: ViewContext, version: str, files: Iterable[StoredFile]
) -> dict[str, Any]:
    """Serialize a release with its files."""
    attributes = dict(context.release_attributes.get(version, {}))
    attributes.pop(FILES, None)
    return {
        "version": version,
        "full_name": f"{context.owner}/{context.project.name}/{version}",
        "distributions": [serialize_file(context, file) for file in files],
        "public_attrs": {"description": "", "summary": "", **attributes},
    }


def serialize_file(context: ViewContext, file: StoredFile) -> dict[str, Any]:
    """Serialize a file; its own attributes take precedence over those given at upload."""
    given = context.release_attributes.get(file.version, {}).get(FILES, {}).get(file.basename, {})
    return {
        "basename": file.basename,
        "full_name": f"{context.owner}/{context.project.name}/{file.version}/{file.basename}",
        "owner": context.owner,
        "version": file.version,
        "size": file.size,
        "md5": file.md5,
        "sha256": file.sha256,
        "type": PACKAGE_TYPES[file.kind],
        "distribution_type": PACKAGE_TYPES[file.kind],
        "upload_time": file.uploaded_at.isoformat(),
        "labels": sorted(file.labels),
        "description": given.get("description", ""),
        "yanked": file.yanked,
        "dependencies": {"depends": list(file.depends)},
        "attrs": {**given.get("attrs", {}), **_file_attributes(file)},
    }


def _file_attributes(file: StoredFile) -> dict[str, Any]:
    """Return the attributes read from the file itself."""
    if file.kind.is_conda:
        record = json.loads(file.record or "{}")
        own = {"subdir": file.subdir, "build": file.build, "build_number": file.build_number}
        return {**own, **{key: record[key] for key in _RECORD_FIELDS if key in record}}
    kind = "bdist_wheel" if file.kind is Kind.WHEEL else "sdist"
    attributes: dict[str, Any] = {"packagetype": kind, "requires_python": file.requires_python}
    if file.kind is Kind.WHEEL:
        attributes["tags"] = list(file.tags)
    return attributes
