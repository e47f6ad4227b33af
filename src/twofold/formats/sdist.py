"""Reads sdists (PEP 625, PEP 517): a .tar.gz with one folder that holds PKG-INFO.

Indexes hold older sdists as .zip too; those are read, and never built or uploaded.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from twofold.errors import BadFile, Problem
from twofold.formats import limits
from twofold.formats.bounded_decompress import open_gzip
from twofold.formats.core_metadata import CoreMetadata, parse_metadata
from twofold.formats.tar_safety import TarStream
from twofold.formats.unpacked_tree import UnpackedTree
from twofold.formats.zip_archive import ZipArchive
from twofold.names import normalize_name, parse_sdist_name
from twofold.names.file_names import is_same_version


class Sdist(NamedTuple):
    """The metadata of an sdist; `root` is its one folder, `files` the paths of its files."""

    root: str
    metadata_bytes: bytes
    metadata: CoreMetadata
    files: tuple[str, ...]


class _Contents(NamedTuple):
    """What an archive holds: its files, PKG-INFO by folder, and what is wrong with it."""

    files: list[str]
    metadata: dict[str, bytes]
    problems: list[str]


def read_sdist(path: Path) -> Sdist:
    """Read a whole sdist. Raises BadFile with all problems."""
    named = parse_sdist_name(path.name)
    found = _read_zip(path) if path.name.endswith(".zip") else _read_tar(path)
    files, metadata, problems = found
    roots = sorted({file.split("/")[0] for file in files})
    if len(set(files)) != len(files):
        problems.append("a file appears twice in the sdist")
    for file in files:
        root, _, name = file.partition("/")
        if name.casefold() == "pkg-info" and name != "PKG-INFO":
            # Where case is ignored it replaces the metadata that are read here.
            problems.append(f"two files differ only in case: {root}/PKG-INFO, {file}")
    if len(roots) != 1:
        problems.append(f"an sdist has one folder, not {len(roots)}: {', '.join(roots[:5])}")
    elif not metadata:
        problems.append(f"the sdist has no {roots[0]}/PKG-INFO")
    if problems:
        raise limits.make_bad_file(
            [Problem(p, "build the sdist again", path.name) for p in problems]
        )
    data = metadata[roots[0]]
    parsed = parse_metadata(data, f"{path.name}: {roots[0]}/PKG-INFO")
    if normalize_name(parsed.name) != normalize_name(named.name):
        raise BadFile(
            f"the name in PKG-INFO is '{parsed.name}', in the file name '{named.name}'",
            "build the sdist again: an sdist must not be renamed",
            path.name,
        )
    if not is_same_version(parsed.version, named.version):
        raise BadFile(
            f"the version in PKG-INFO is '{parsed.version}', in the file name '{named.version}'",
            "build the sdist again: an sdist must not be renamed",
            path.name,
        )
    return Sdist(roots[0], data, parsed, tuple(files))


def _read_tar(path: Path) -> _Contents:
    problems: list[str] = []
    metadata: dict[str, bytes] = {}
    files: list[str] = []
    with path.open("rb") as stream:
        if stream.read(2) != b"\x1f\x8b":
            raise BadFile("not a .tar.gz archive", "build the sdist again", path.name)
        stream.seek(0)
        tar = TarStream(open_gzip(stream, path.name), path.name)
        tree = UnpackedTree()
        for member in tar:
            root = member.path.split("/")[0]
            tree.root = tree.root or root
            problem = tree.find_problem(member)
            if problem and len(problems) < 20:
                problems.append(problem)
            if member.kind == "file" and member.path == f"{root}/PKG-INFO":
                # hatchling packs an unpacked sdist's PKG-INFO and then its own: every tool that
                # unpacks it ends up with the last one.
                metadata[root] = tar.read()
            elif member.kind == "file":
                files.append(member.path)
    problems += tree.find_problems_together()[:20]
    files += [f"{root}/PKG-INFO" for root in metadata]
    return _Contents(files, metadata, problems)


def _read_zip(path: Path) -> _Contents:
    archive = ZipArchive(path)
    try:
        files = [name for name, member in archive.members.items() if not member.is_folder]
        metadata = {
            root: archive.read(f"{root}/PKG-INFO", limits.METADATA)
            for root in {name.split("/")[0] for name in files}
            if f"{root}/PKG-INFO" in archive.members
        }
        return _Contents(files, metadata, [])
    finally:
        archive.close()
