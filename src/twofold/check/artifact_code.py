"""The code in a built file, for the rules about code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.check.context import (
    MAX_MINOR,
    SourceCode,
    allowed_minors,
    installed_path,
    module_name,
)
from twofold.check.facts.store import read_all_facts, read_all_quick_facts
from twofold.check.namespace import CodeModule
from twofold.check.packed_files import MAX_MODULE, MAX_SCANNED, ArchiveRoom
from twofold.formats.core_metadata import parse_metadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.check.facts.model import Facts
    from twofold.check.facts.quick import QuickFacts

#: The folders of a conda package that hold what its author wrote beside the code.
_AUTHORS = ("info/recipe/", "info/test/", "info/tests/", "info/licenses/")

#: Path inside the file -> bytes, None where they were not read.
Contents = dict[str, bytes | None]


class ArtifactCode(SourceCode):
    """The code in a built file. Its paths begin with the file's name."""

    def __init__(
        self,
        artifact: Artifact,
        contents: Contents,
        allow: Sequence[str] = (),
        wants_warnings: bool = True,
    ) -> None:
        self.artifact = artifact
        installed = [path for path in contents if not path.startswith(_AUTHORS)]
        sources = {
            path: data
            for path in installed
            if (data := contents[path]) is not None
            and module_name(path)
            and artifact.kind is not Kind.SDIST
        }
        minors = allowed_minors(artifact.requires_python or "")
        listed = list(sources.values())
        read: Sequence[Facts | QuickFacts] = (
            read_all_facts(listed)
            if wants_warnings
            else read_all_quick_facts(listed, (minors or (MAX_MINOR,))[0])
        )
        facts = dict(zip(sources, read, strict=True))
        modules = {}
        for path in sources:
            name, is_package = module_name(path) or ("", False)
            modules[name] = CodeModule(name, self.display_path(path), is_package, facts[path])
        super().__init__(modules, installed)
        self.allow = list(allow)
        self.version = artifact.version
        self.requires_python = artifact.requires_python or ""
        self.minors = minors
        self.wants_warnings = wants_warnings
        self.files = {self.display_path(path): data for path, data in contents.items()}
        if artifact.kind is not Kind.SDIST:
            self.installed = {self.display_path(path): installed_path(path) for path in installed}
        self.entry_points = _parse_entry_points(contents)
        self.name = artifact.name
        self.dependencies = [] if artifact.kind.is_conda else list(artifact.depends)
        # A conda package depends on conda's names; an sdist's code is not judged.
        self.are_dependencies_known = artifact.kind is Kind.WHEEL
        self.declared_names = _read_import_names(artifact)
        # A wheel for one platform leaves out the modules of the others.
        self.is_complete = all(tag.endswith("-any") for tag in artifact.tags)

    def display_path(self, path: str) -> str:
        """A path as findings name it: after the name of the file."""
        return f"{self.artifact.filename}: {path}"

    def inner_path(self, path: str) -> str:
        """The path without the name of the file before it."""
        return path.removeprefix(f"{self.artifact.filename}: ")

    def is_only_in_sdist(self, path: str) -> bool:
        """Whether the path is in an sdist: which of its files the wheel has is unknown."""
        del path  # which of an sdist's files its wheel would hold is not known here
        return self.artifact.kind is Kind.SDIST

    def entry_point_location(self, group: str, name: str) -> str:
        """Where entry_points.txt declares an entry point."""
        return self.display_path(f"entry_points.txt: [{group}] {name}")


def _read_import_names(artifact: Artifact) -> tuple[list[str], list[str], str] | None:
    if artifact.kind is not Kind.WHEEL:
        return None
    metadata = parse_metadata(artifact.metadata)
    names, spaces = metadata.all("Import-Name"), metadata.all("Import-Namespace")
    where = f"{artifact.filename}: METADATA"
    return (list(names), list(spaces), where) if names or spaces else None


def read_contents(artifact: Artifact) -> Contents:
    """The contents of a file, without `site-packages/` and without an sdist's own folder."""
    if artifact.kind is Kind.WHEEL:
        return _read_wheel(artifact.path)
    if artifact.kind is Kind.SDIST:
        found = _read_tar(artifact.path, "sdist")
        return {path.partition("/")[2]: data for path, data in found.items()}
    found = _read_tar(artifact.path, "pkg")
    contents = {
        re.sub(r"^(?:[\w./-]+/)?site-packages/", "", path): data
        for path, data in found.items()
        if not path.startswith("info/")
    }
    # The recipe and the tests of a package are the author's files too, and may hold a secret.
    about = _read_tar(artifact.path, "info")
    return contents | {path: data for path, data in about.items() if path.startswith(_AUTHORS)}


def _is_wanted(path: str, size: int) -> bool:
    return size <= (MAX_MODULE if path.endswith((".py", ".pyi")) else MAX_SCANNED)


def _read_wheel(path: Path) -> Contents:
    from twofold.formats.wheel import WheelFile

    room = ArchiveRoom()
    with WheelFile(path) as wheel:
        return {
            name: wheel.archive.read(name, MAX_MODULE)
            if _is_wanted(name, member.size)
            else room.take(member.size, wheel.archive.pieces(member))
            for name, member in wheel.members.items()
            if not member.is_folder
        }


def _read_tar(path: Path, part: str) -> Contents:
    from twofold.formats.bounded_decompress import open_gzip
    from twofold.formats.tar_safety import TarStream

    room = ArchiveRoom()

    def contents(tar: TarStream) -> Contents:
        return {
            member.path: tar.read(MAX_MODULE)
            if _is_wanted(member.path, member.size)
            else room.take(member.size, tar.pieces())
            for member in tar
            if member.kind == "file"
        }

    if part != "sdist":
        from twofold.formats.conda_reader import open_part

        with open_part(path, part) as tar:
            return contents(tar)
    with path.open("rb") as stream:
        return contents(TarStream(open_gzip(stream, path.name), path.name))


def _parse_entry_points(contents: Contents) -> dict[str, dict[str, str]]:
    data = next(
        (d for p, d in contents.items() if re.fullmatch(r"[^/]+\.dist-info/entry_points\.txt", p)),
        None,
    )
    groups: dict[str, dict[str, str]] = {}
    group = ""
    for line in (data or b"").decode("utf-8", "replace").splitlines():
        header = re.fullmatch(r"\s*\[(.*)\]\s*", line)
        name, equals, target = line.partition("=")
        if header:
            group = header.group(1).strip()
        elif equals and group and not line.lstrip().startswith(("#", ";")):
            groups.setdefault(group, {})[name.strip()] = target.strip()
    return groups
