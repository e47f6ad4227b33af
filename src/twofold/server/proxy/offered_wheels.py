"""Records for conda of wheels that nobody fetched, from index page and METADATA alone.

Records without size and hash (for rattler), and `v3` records of pure wheels (for conda with
conda-pypi), as the conversion would make them: the same functions, the same names and builds.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

from twofold.artifact import Artifact, Kind
from twofold.convert import CondaOptions, make_packages
from twofold.convert.v3 import make_wheel_records
from twofold.convert.wheel_tags import find_build_number
from twofold.errors import TwofoldError
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.index import repodata
from twofold.names import normalize_name, parse_wheel_name
from twofold.server.proxy.remote_files import RemoteFile
from twofold.server.proxy.upstream_simple import find_version

#: The minor versions of Python 3 for which a project is offered where it has wheels for them.
PYTHONS = range(11, 15)

_CPYTHON = re.compile("cp3([0-9]{1,3})")

#: The most specifiers of other projects for which older releases of one are offered.
MAX_BOUNDS = 20

#: Operators of specifiers that may exclude the newest releases.
_BOUNDING = {"<", "<=", "==", "===", "~="}

#: The fields of METADATA that records are made of.
_FIELDS = ("Name", "Version", "Requires-Python", "Requires-Dist", "Provides-Extra")


@dataclass(frozen=True)
class OfferedWheel:
    """A wheel that nobody fetched: its packages' records, by (subdir, file name).

    `v3` are the key and the record of a pure wheel by subdir. `metadata` holds the fields of
    METADATA that others' extras need. `note` is why it has no package.
    """

    filename: str
    sha256: str
    metadata: str = field(repr=False)
    packages: tuple[tuple[str, str, dict[str, Any]], ...] = ()
    v3: Mapping[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True)
class OfferedWheels:
    """The wheels of one project; the upstream, the validator of its page, and the policy.

    `made_for` is what else they depend on: the requirement and rules of the channel. `bounds` are
    specifiers of offered projects that none of the newest releases fulfils.
    """

    wheels: tuple[OfferedWheel, ...] = ()
    upstream: str = ""
    validator: str = ""
    policy: str = ""
    made_for: str = ""
    bounds: tuple[str, ...] = ()

    def find_unmet(self, bounds: Iterable[str]) -> list[str]:
        """Return the specifiers that no release fulfils and that no older one was chosen for."""
        versions = _find_versions(wheel.filename for wheel in self.wheels)
        return [bound for bound in find_unmet(bounds, versions) if bound not in self.bounds]


@dataclass
class Wanted:
    """What wheels require of one project: extras, and specifiers that may exclude the newest."""

    extras: set[str] = field(default_factory=set)
    bounds: set[str] = field(default_factory=set)

    def add(self, other: Wanted) -> None:
        """Add what others require."""
        self.extras |= other.extras
        self.bounds |= other.bounds


def pack(value: OfferedWheels) -> bytes:
    """Serialize for the database."""
    packed = {**vars(value), "wheels": [vars(wheel) for wheel in value.wheels]}
    return zlib.compress(json.dumps(packed, separators=(",", ":")).encode(), 3)


def unpack(body: bytes) -> OfferedWheels:
    """Read what `pack` made."""
    value = json.loads(zlib.decompress(body))
    wheels = []
    for one in value.pop("wheels"):
        packages = tuple((subdir, name, record) for subdir, name, record in one.pop("packages"))
        v3 = {subdir: (key, record) for subdir, (key, record) in one.pop("v3").items()}
        wheels.append(OfferedWheel(**one, packages=packages, v3=v3))
    bounds = tuple(value.pop("bounds", ()))
    return OfferedWheels(tuple(wheels), **value, bounds=bounds)


def choose_wheels(
    files: Iterable[RemoteFile],
    refused: Mapping[str, str],
    requirement: Requirement,
    newest: int,
    bounds: Iterable[str] = (),
) -> tuple[list[RemoteFile], tuple[str, ...]]:
    """Return the wheels of the newest releases that the requirement allows.

    For a Python that none of them is for, the newest release that is joins them, and so does the
    newest one for each of the specifiers `bounds`; those that needed one are returned too.
    Pre-releases only where there is nothing else. Of the pure wheels of a release one is enough.
    """
    releases: dict[Version, list[RemoteFile]] = {}
    for file in files:
        if not file.filename.endswith(".whl") or file.entry.get("yanked"):
            continue
        if file.filename in refused:
            continue
        try:
            version = Version(find_version(file.filename))
        except InvalidVersion:
            continue
        if requirement.specifier.contains(version, prereleases=True):
            releases.setdefault(version, []).append(file)
    final = [version for version in releases if not version.is_prerelease]
    ordered = sorted(final or releases, reverse=True)
    chosen, left = ordered[:newest], set(PYTHONS)
    for version in chosen:
        left -= _find_pythons(releases[version], left)
    for version in ordered[newest:]:
        if fitting := _find_pythons(releases[version], left):
            chosen.append(version)
            left -= fitting
    unmet = find_unmet(bounds, chosen)[:MAX_BOUNDS]
    for specifiers in map(SpecifierSet, unmet):
        fitting_one = next(specifiers.filter(ordered, prereleases=True), None)
        if fitting_one is not None and fitting_one not in chosen:
            chosen.append(fitting_one)
    files = [file for version in chosen for file in _drop_repeated(releases[version])]
    return files, tuple(unmet)


def find_unmet(bounds: Iterable[str], versions: Collection[Version]) -> list[str]:
    """Return the specifiers that none of the versions fulfils."""
    return [
        bound
        for bound in bounds
        if not any(SpecifierSet(bound).contains(one, prereleases=True) for one in versions)
    ]


def _find_versions(filenames: Iterable[str]) -> set[Version]:
    return {Version(text) for text in set(map(find_version, filenames))}


def _find_pythons(files: Sequence[RemoteFile], minors: set[int]) -> set[int]:
    """Return the Pythons 3.N among `minors` that some of these wheels are for."""
    return {minor for minor in minors if any(_is_for_python(file, minor) for file in files)}


def _is_for_python(file: RemoteFile, minor: int) -> bool:
    """Whether a wheel is for CPython 3.`minor`, by its tags and the page's Requires-Python."""
    parts = file.filename.removesuffix(".whl").rsplit("-", 3)
    if len(parts) != 4:
        return False
    pythons, abi = parts[1].split("."), parts[2]
    built = [int(found[1]) for found in map(_CPYTHON.fullmatch, pythons) if found]
    is_stable = abi == "abi3" and min(built, default=minor + 1) <= minor
    if minor not in built and not is_stable and not {"py3", f"py3{minor}"} & set(pythons):
        return False
    try:
        requires = SpecifierSet(file.entry.get("requires-python") or "")
    except InvalidSpecifier:
        return True
    return requires.contains(f"3.{minor}.99") or requires.contains(f"3.{minor}.0")


def _drop_repeated(files: Sequence[RemoteFile]) -> list[RemoteFile]:
    pure = [file for file in files if file.filename.endswith("py3-none-any.whl")]
    return [file for file in files if file not in pure[1:]]


def reduce_metadata(metadata: bytes) -> str:
    """Return METADATA with the fields that records are made of. Raises BadFile."""
    parsed = parse_metadata(metadata)
    lines = ["Metadata-Version: 2.1"]
    lines += [f"{name}: {value}" for name in _FIELDS for value in parsed.all(name)]
    return "\n".join(lines) + "\n"


def describe(file: RemoteFile, metadata: str) -> Artifact:
    """Describe a wheel as one that is here, but for its content. Raises BadFile."""
    name = parse_wheel_name(file.filename)
    parsed = parse_metadata(metadata.encode())
    size = file.entry.get("size")
    return Artifact(
        Path(file.filename),
        Kind.WHEEL,
        parsed.name,
        parsed.version,
        size if isinstance(size, int) else 0,
        file.sha256,
        "",
        metadata.encode(),
        name.build,
        tags=name.tags,
        requires_python=parsed.requires_python,
        depends=tuple(parsed.requires_dist),
    )


def make_offered_wheel(
    file: RemoteFile,
    metadata: str,
    find_options: Callable[[Artifact], CondaOptions],
    with_v3: bool = False,
) -> OfferedWheel:
    """Make the records of a wheel, `v3` ones on request; the note says why there are none."""
    try:
        artifact = describe(file, metadata)
        options = find_options(artifact)
        packages = _make_packages(file, artifact, options)
    except (TwofoldError, ValueError) as error:
        return OfferedWheel(file.filename, file.sha256, metadata, note=str(error))
    v3 = _make_v3(file, artifact, options) if with_v3 else {}
    return OfferedWheel(file.filename, file.sha256, metadata, packages, v3)


def _make_packages(
    file: RemoteFile, artifact: Artifact, options: CondaOptions
) -> tuple[tuple[str, str, dict[str, Any]], ...]:
    found = []
    number = find_build_number(artifact.build)
    for package in make_packages(artifact.metadata, None, artifact.tags, options):
        if number:
            package.build_number = number
            package.build = f"{package.build.removesuffix('_0')}_{number}"
        package.timestamp = _read_timestamp(file)
        record = repodata.make_record_from_index(package.index, package.subdir, (0, "", ""))
        for unknown in ("size", "sha256", "md5"):  # until the package is made
            del record[unknown]
        found.append((package.subdir, f"{package.stem}.conda", record))
    return tuple(found)


def _make_v3(
    file: RemoteFile, artifact: Artifact, options: CondaOptions
) -> dict[str, tuple[str, dict[str, Any]]]:
    if "py3-none-any" not in artifact.tags or not artifact.size:  # conda needs the true size
        return {}
    url = f"../../files/{file.sha256}/{quote(file.filename)}"
    try:
        return make_wheel_records(artifact, url, _read_timestamp(file), options)
    except TwofoldError:
        return {}


def _read_timestamp(file: RemoteFile) -> int:
    """Return the upload time in milliseconds; 0 where the index does not state it."""
    try:
        uploaded = datetime.fromisoformat(str(file.entry.get("upload-time")).replace("Z", "+00:00"))
    except ValueError:
        return 0
    return int(uploaded.timestamp() * 1000)


def list_requirements(wheels: Iterable[OfferedWheel], extras: Iterable[str]) -> dict[str, Wanted]:
    """Return what wheels require, with some of their own extras, by the key of the project."""
    wanted = [normalize_name(extra) for extra in extras]
    found: dict[str, Wanted] = {}
    for text in {text for wheel in wheels if wheel.metadata for text in _read(wheel).requires_dist}:
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if requirement.url or not _can_apply(requirement, wanted):
            continue
        one = found.setdefault(normalize_name(requirement.name), Wanted())
        one.extras |= requirement.extras
        if any(part.operator in _BOUNDING for part in requirement.specifier):
            one.bounds.add(str(requirement.specifier))
    return found


def _can_apply(requirement: Requirement, extras: Sequence[str]) -> bool:
    """Whether a requirement is one of the project itself, or of one of the extras."""
    named = re.findall(r"""extra\s*==\s*["']([^"']+)""", str(requirement.marker or ""))
    return not named or any(normalize_name(extra) in extras for extra in named)


def _read(wheel: OfferedWheel) -> CoreMetadata:
    return parse_metadata(wheel.metadata.encode())


def make_shards(wheels: Iterable[OfferedWheel]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return subdir -> file name -> record."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for wheel in wheels:
        for subdir, filename, record in wheel.packages:
            found.setdefault(subdir, {}).setdefault(filename, record)
    return found


def explain_missing(
    wheels: Sequence[OfferedWheel], files: Sequence[RemoteFile], refused: Mapping[str, str]
) -> str:
    """Return why nothing of a project can be offered; '' where something can."""
    if any(wheel.packages for wheel in wheels):
        return ""
    notes = [wheel.note for wheel in wheels if wheel.note]
    if notes:
        return notes[0]
    reasons = [reason for name, reason in refused.items() if name.endswith(".whl")]
    if reasons:
        return reasons[0]
    if any(not file.filename.endswith(".whl") for file in files):
        return "there are only sdists, which are not built here"
    return "no file of it may be served"
