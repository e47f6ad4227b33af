"""Reads a built file into an Artifact: its format, its metadata, its hashes.

Everything comes from the file; its name is only compared. Nothing is extracted to disk. It takes
some milliseconds and checks the archive's structure; `twofold.formats.deep_check` compares every
member with RECORD or paths.json.
"""

from __future__ import annotations

from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.errors import BadFile, Problem
from twofold.file_hashes import compute_file_hashes
from twofold.formats import limits
from twofold_build.names import (
    find_requirement_problem,
    find_specifiers_problem,
    find_version_problem,
    is_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from twofold.formats.core_metadata import CoreMetadata

_ENDINGS = {
    ".whl": Kind.WHEEL,
    ".tar.gz": Kind.SDIST,
    ".conda": Kind.CONDA,
    ".tar.bz2": Kind.TAR_BZ2,
}


#: Size in bytes, SHA-256 and MD5 (hex) of a file.
Hashes = tuple[int, str, str]


def read_artifact(path: Path, hashes: Hashes | None = None) -> Artifact:
    """Read a built file. Raises BadFile with all problems, and OSError.

    `hashes` are the file's where they are known: they take longest.
    """
    kind = detect_kind(path.name)
    if path.is_dir():
        raise BadFile("a folder, not a file", where=str(path))
    if kind is Kind.WHEEL:
        return _read_wheel(path, hashes)
    if kind is Kind.SDIST:
        return read_sdist_artifact(path, hashes)
    return _read_conda(path, kind, hashes)


def detect_kind(filename: str) -> Kind:
    """Return the kind of a file by its extension. Raises BadFile for others."""
    for ending, kind in _ENDINGS.items():
        if filename.endswith(ending):
            return kind
    raise BadFile(
        f"'{filename}' is not a wheel, an sdist or a conda package",
        "a wheel ends in .whl, an sdist in .tar.gz, a conda package in .conda or .tar.bz2",
    )


def _read_wheel(path: Path, hashes: Hashes | None) -> Artifact:
    from twofold.formats.wheel import WheelFile

    with WheelFile(path) as wheel:
        _check_metadata(wheel.metadata, path)
        found = wheel.metadata, wheel.metadata_bytes
        artifact = _describe_release(path, Kind.WHEEL, found, hashes)
        return artifact._replace(build=wheel.name.build, tags=wheel.name.tags)


def read_sdist_artifact(path: Path, hashes: Hashes | None = None) -> Artifact:
    """Read an sdist, also one of the .zip sdists that indexes hold. Raises BadFile."""
    from twofold.formats.sdist import read_sdist

    sdist = read_sdist(path)
    _check_metadata(sdist.metadata, path)
    return _describe_release(path, Kind.SDIST, (sdist.metadata, sdist.metadata_bytes), hashes)


def _describe_release(
    path: Path, kind: Kind, read: tuple[CoreMetadata, bytes], hashes: Hashes | None
) -> Artifact:
    metadata, content = read
    size, sha256, md5 = hashes or compute_file_hashes(path)
    return Artifact(
        path=path,
        kind=kind,
        name=metadata.name,
        version=metadata.version,
        size=size,
        sha256=sha256,
        md5=md5,
        metadata=content,
        requires_python=metadata.requires_python,
        depends=metadata.requires_dist,
    )


def _read_conda(path: Path, kind: Kind, hashes: Hashes | None) -> Artifact:
    from twofold.formats.conda_reader import read_index_facts

    facts = read_index_facts(path, hashes)
    size, sha256, md5 = facts.hashes
    return Artifact(
        path=path,
        kind=kind,
        name=facts.index["name"],
        version=facts.index["version"],
        size=size,
        sha256=sha256,
        md5=md5,
        metadata=facts.data,
        build=facts.index["build"],
        build_number=facts.index["build_number"],
        subdir=facts.subdir,
        depends=tuple(facts.index.get("depends") or ()),
    )


def _check_metadata(metadata: CoreMetadata, path: Path) -> None:
    """Check name, version, Requires-Python and Requires-Dist; raise all mistakes together."""
    too_long = [*_find_excess(metadata)]
    if too_long:  # nothing is parsed that takes seconds
        raise limits.make_bad_file([Problem(p, where=path.name) for p in too_long])
    problems = []
    if not is_name(metadata.name):
        problems.append(f"the metadata's Name is not a valid name: '{metadata.name}'")
    if wrong := find_version_problem(metadata.version):
        problems.append(f"the metadata's Version: {wrong}")
    if metadata.requires_python and (wrong := find_specifiers_problem(metadata.requires_python)):
        problems.append(f"the metadata's Requires-Python: {wrong}")
    problems += [
        f"the metadata's Requires-Dist '{requirement[:200]}': {wrong}"
        for requirement in metadata.requires_dist
        if (wrong := find_requirement_problem(requirement))
    ]
    if problems:
        raise limits.make_bad_file([Problem(p, where=path.name) for p in problems])


def _find_excess(metadata: CoreMetadata) -> Iterator[str]:
    """Find what is too long to be parsed: four megabytes are packed into four kilobytes."""
    for key in metadata:
        most = limits.SPECIFIERS if key == "requires-python" else limits.FIELD
        if key != "description" and max(map(len, metadata.all(key))) > most:
            yield f"the metadata's {key.title()[:40]} has more than {most} characters"
    requirements = metadata.requires_dist
    if sum(map(len, requirements)) + len(requirements) * len("Requires-Dist: ") > (
        limits.REQUIREMENTS
    ):
        yield f"the metadata's requirements have more than {limits.REQUIREMENTS} characters"
    if sum(requirement.count("(") for requirement in requirements) > limits.PARENTHESES:
        yield f"the metadata's requirements have more than {limits.PARENTHESES} parentheses"
