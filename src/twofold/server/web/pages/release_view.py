"""Parts of a release's page: its files in groups, provenance, requirements, conda builds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from twofold.artifact import Kind
from twofold.server.auth import upload_credentials
from twofold.server.model import StoredFile
from twofold.server.pages.release_facts import CondaBuild, Dependency, read_build
from twofold.server.pages.simple_pages import make_file_path
from twofold.server.registry.browsing.people import FileUploader
from twofold.server.registry.browsing.releases import LinkedNames
from twofold.server.web.pages.text_formats import format_size, format_time

#: The most files of a group that are open when the page is: more are behind their group's name.
MAX_OPEN = 4

#: Part of a wheel's platform tag -> the group it is listed in; the first that fits.
_PLATFORMS = (
    ("any", "Any platform"),
    ("manylinux", "Linux"),
    ("linux", "Linux"),
    ("musllinux", "Linux (musl)"),
    ("macosx", "macOS"),
    ("win", "Windows"),
    ("android", "Android"),
    ("ios", "iOS"),
    ("emscripten", "WebAssembly"),
    ("wasi", "WebAssembly"),
    ("pyodide", "WebAssembly"),
)

#: Claims of an identity token that say which run made a file, in the order they are shown.
_CLAIMS = (
    ("repository", "repository"),
    ("project_path", "repository"),
    ("job_workflow_ref", "workflow"),
    ("workflow_ref", "workflow"),
    ("ci_config_ref_uri", "workflow"),
    ("environment", "environment"),
    ("ref", "ref"),
    ("sha", "commit"),
)


@dataclass(frozen=True, slots=True)
class FileGroup:
    """Files of one world and platform."""

    title: str
    is_conda: bool
    is_open: bool
    size: str
    files: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Uploader:
    """Who uploaded files, and with what; `name` is that of a user, '' for none."""

    name: str
    how: str


def describe_uploader(found: FileUploader) -> Uploader:
    """Put into words who uploaded a file, and with what."""
    credential = found.credential
    if credential is None:
        return Uploader(found.name, "")
    how = _HOW[credential.kind]
    if credential.name:
        how = f"with the token '{credential.name}'"
    if credential.claims:
        read = _read_claims(credential.claims)
        place = read.pop("repository", "") or str(
            credential.claims.get("sub") or credential.claims.get("iss", "")
        )
        more = ", ".join(f"{name} {value}" for name, value in read.items() if name != "commit")
        how = f"{how} {place[:300]}" + (f" ({more})" if more else "")
    return Uploader(found.name, how)


#: Kind of credential -> what was done with it.
_HOW = {
    upload_credentials.TOKEN: "with a token",
    upload_credentials.PASSWORD: "with a password",
    upload_credentials.BROWSER: "in the browser",
    upload_credentials.PUBLISHER: "trusted publisher",
    upload_credentials.OPERATOR: "the operator",
    upload_credentials.UPSTREAM: "fetched from the upstream",
    upload_credentials.IMPORT: "imported from another registry",
}


def _read_claims(claims: Mapping[str, Any]) -> dict[str, str]:
    """Return the claims of a CI run under the words for them."""
    found: dict[str, str] = {}
    for claim, name in _CLAIMS:
        if isinstance(claims.get(claim), str):
            found.setdefault(name, claims[claim][:300])
    return found


@dataclass(frozen=True, slots=True)
class FileNotes:
    """What is known of files by their id: their uploaders, and remarks."""

    uploaders: Mapping[int, Uploader]
    remarks: Mapping[int, str]


def group_files(
    files: Sequence[StoredFile], base: str, project: str, notes: FileNotes
) -> list[FileGroup]:
    """Group a release's files: sdists, wheels by platform, packages by subdir."""
    groups: dict[tuple[bool, str], list[StoredFile]] = {}
    for file in files:
        groups.setdefault((file.kind.is_conda, _name_group(file)), []).append(file)
    order = sorted(groups, key=lambda key: (key[0], _rank_group(key[1]), key[1]))
    is_short = len(files) <= 2 * MAX_OPEN
    return [
        FileGroup(
            title,
            is_conda,
            is_short or (len(groups[is_conda, title]) <= MAX_OPEN and len(groups) <= MAX_OPEN),
            format_size(sum(file.size for file in groups[is_conda, title])),
            tuple(describe_file(file, base, project, notes) for file in groups[is_conda, title]),
        )
        for is_conda, title in order
    ]


def _name_group(file: StoredFile) -> str:
    if file.kind.is_conda:
        return file.subdir
    if file.kind is Kind.SDIST:
        return "Source"
    platform = file.tags[0].rpartition("-")[2] if file.tags else "any"
    return next((title for part, title in _PLATFORMS if platform.startswith(part)), "Other")


def _rank_group(title: str) -> int:
    return {"Source": 0, "noarch": 0, "Any platform": 1}.get(title, 2)


def describe_file(file: StoredFile, base: str, project: str, notes: FileNotes) -> dict[str, Any]:
    """Describe a file for its row; `base` is the channel's address."""
    path = file.basename if file.subdir else make_file_path(file)
    return {
        "name": file.filename,
        "url": f"{base}/{path}",
        "sha256": file.sha256,
        "size": format_size(file.size),
        "at": format_time(file.uploaded_at),
        "by": notes.uploaders.get(file.id),
        "tags": _shorten_tags(file),
        "build": file.build if file.kind.is_conda else "",
        "labels": sorted(file.labels) if file.kind.is_conda else [],
        "is_converted": file.made_from is not None,
        "yanked": file.yanked,
        "inside": f"{base}/project/{project}/-/files/{quote(file.basename)}",
        "provenance": _link_provenance(file, base, project),
        "remarks": [text for text in (file.remark, notes.remarks.get(file.id)) if text],
    }


def _shorten_tags(file: StoredFile) -> str:
    if file.kind is not Kind.WHEEL or not file.tags:
        return ""
    return file.filename.removesuffix(".whl").split("-", 2)[-1].replace("-", " ")


def _link_provenance(file: StoredFile, base: str, project: str) -> str:
    if file.provenance is None:
        return ""
    return f"{base}/integrity/{project}/{file.version}/{file.filename}/provenance"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Who made a file, as its attestations say, and what of them the registry verified."""

    filename: str
    publisher: str
    claims: tuple[tuple[str, str], ...]
    verified: tuple[str, ...]


def read_provenance(files: Iterable[StoredFile]) -> list[Provenance]:
    """Read the provenance of files, one entry for those that say the same."""
    found: dict[str, Provenance] = {}
    for file in files:
        for bundle in _list_bundles(file.provenance):
            publisher: Mapping[str, Any] = bundle["publisher"]
            claims = _read_claims(publisher)
            text = str(publisher.get("iss") or publisher.get("user") or publisher.get("kind"))
            verified = tuple(map(str, publisher.get("verified", ())))
            one = Provenance(file.filename, text, tuple(claims.items()), verified)
            found.setdefault(json.dumps([text, claims, verified]), one)
    return list(found.values())


def _list_bundles(provenance: str | None) -> list[Any]:
    return list(json.loads(provenance)["attestation_bundles"]) if provenance else []


@dataclass(frozen=True, slots=True)
class LinkedDependency:
    """A dependency with the page of its project, '' without one."""

    dependency: Dependency
    href: str


def link_dependencies(
    dependencies: Iterable[Dependency], linked: LinkedNames, base: str, is_conda: bool
) -> list[LinkedDependency]:
    """Link dependencies to the pages of their projects in the channel."""
    found = []
    for one in dependencies:
        name = one.name if is_conda else one.key
        key = linked.find_key(name, is_conda) if one.key else ""
        found.append(LinkedDependency(one, f"{base}/project/{key}" if key else ""))
    return found


def is_outside(
    dependencies: Iterable[LinkedDependency], builtin: frozenset[str] = frozenset()
) -> bool:
    """Whether the channel lacks something that is required, those of `builtin` apart."""
    return any(not one.href and one.dependency.name not in builtin for one in dependencies)


def find_source(files: Sequence[StoredFile]) -> StoredFile | None:
    """Return the file that describes a release: wheel, sdist, or a package of an author."""
    rank = {Kind.WHEEL: 0, Kind.SDIST: 1}
    return min(files, key=lambda file: rank.get(file.kind, 2), default=None)


def read_builds(files: Iterable[StoredFile]) -> list[CondaBuild]:
    """Read the conda packages of a release, those of one subdir together."""
    packages = sorted(
        (file for file in files if file.kind.is_conda), key=lambda file: (file.subdir, file.build)
    )
    return [read_build(file) for file in packages]
