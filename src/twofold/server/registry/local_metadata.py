"""What a channel knows about a wheel's dependencies: their conda names and METADATA.

conda has no extras: `uvicorn[standard]` is replaced by the requirements in uvicorn's own metadata.
They are read from the newest stored wheel of the project, or, in a channel with an upstream index,
from the index (PEP 658); never from the upstream for a private name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from twofold.artifact import Artifact, Kind
from twofold.errors import BadFile, Refused, Unreachable
from twofold.formats.core_metadata import parse_metadata
from twofold.index.simple_parser import find_metadata_hash
from twofold.names import normalize_name, requirement_name
from twofold.server.context import Registry
from twofold.server.model import Channel
from twofold.server.proxy import metadata_cache
from twofold.server.store import channels, files, projects, upstreams

#: A requirement with extras: the name before the bracket.
_WITH_EXTRAS = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*\[\s*[A-Za-z0-9]")

#: The most projects whose metadata are read for one wheel.
MAX_PROJECTS = 100


@dataclass(frozen=True)
class KnownNames:
    """Conda names of a wheel's dependencies, and their METADATA (for extras).

    `metadata_of` takes a normalised name and a specifier.
    """

    names: Mapping[str, str]
    metadata_of: Callable[[str, str], bytes | None]


def names_with_extras(requirements: tuple[str, ...]) -> set[str]:
    """Return the normalised names of the requirements with extras."""
    found = (_WITH_EXTRAS.match(text) for text in requirements)
    return {normalize_name(match[1]) for match in found if match}


def find_known_names(registry: Registry, channel: Channel, artifact: Artifact) -> KnownNames:
    """Metadata of the wheel's dependencies, including those added by requested extras."""
    needed = projects.required_names(artifact)
    own = normalize_name(artifact.name)

    @cache
    def metadata_of(name: str, specifier: str) -> bytes | None:
        if name == own:
            return artifact.metadata
        return _find_metadata(registry, channel, name, specifier)

    wanted, seen = names_with_extras(artifact.depends), set[str]()
    while wanted - seen and len(seen) < MAX_PROJECTS:
        name = min(wanted - seen)
        seen.add(name)
        requires = _parse_requirements(metadata_of(name, ""))
        needed |= {normalize_name(name) for name in map(requirement_name, requires) if name}
        wanted |= names_with_extras(requires)
    with registry.database.read() as db:
        names = channels.get_conda_names(db, channel.id, needed)
    return KnownNames(names, metadata_of)


def _parse_requirements(metadata: bytes | None) -> tuple[str, ...]:
    """Return its requirements; none when it is malformed, which the conversion reports."""
    try:
        return tuple(parse_metadata(metadata).requires_dist) if metadata else ()
    except BadFile:
        return ()


def _find_metadata(registry: Registry, channel: Channel, name: str, specifier: str) -> bytes | None:
    """METADATA of the newest matching wheel, stored or in the upstream index."""
    with registry.database.read() as db:
        project = channels.find_project(db, channel.id, name)
        own = files.list_project_files(db, project.id) if project else []
    fits = SpecifierSet(specifier)
    wheels = {
        file.filename: (version, file.metadata)
        for file in own
        if file.kind is Kind.WHEEL
        and file.yanked is None
        and (version := _parse_version(file.version)) is not None
        and fits.contains(version, prereleases=True)
    }
    if wheels:
        return max(wheels.values(), key=lambda one: (not one[0].is_prerelease, one[0]))[1]
    try:
        return _fetch_upstream_metadata(registry, channel, name, fits)
    except (Unreachable, Refused):
        return None  # converted later, like any wheel whose dependencies are not available


def _fetch_upstream_metadata(
    registry: Registry, channel: Channel, name: str, fits: SpecifierSet
) -> bytes | None:
    project, upstream = metadata_cache.find_project(registry, channel, name)
    if upstream is None:
        return None
    versions: dict[str, Version] = {}
    for remote in project.files:
        has_hash = find_metadata_hash(remote.entry.get("core-metadata"))
        is_usable = has_hash and not remote.entry.get("yanked")
        version = _parse_version(remote.filename.split("-")[1]) if "-" in remote.filename else None
        if is_usable and version is not None and fits.contains(version, prereleases=True):
            versions[remote.filename] = version
    if not versions:
        return None
    best = max(
        versions, key=lambda filename: (not versions[filename].is_prerelease, versions[filename])
    )
    with registry.database.read() as db:
        pin = upstreams.find_pin(db, channel.id, "", best)
    return metadata_cache.cached_wheel_metadata(registry, channel, upstream, pin) if pin else None


def _parse_version(text: str) -> Version | None:
    try:
        return Version(text)
    except InvalidVersion:
        return None
