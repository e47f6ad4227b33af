"""What lies in a built file, for the rules about code; and the rules about files alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.check import junk
from twofold.check.context import CodeModule, SourceCode, module_name
from twofold.check.junk import is_code, is_compiled, severity_of
from twofold.check.pythons_allowed import allowed_minors
from twofold.check.reading import read_all_facts
from twofold.check.rule_table import WARNING, Violation
from twofold.names import escape_for_filename, parse_sdist_name, parse_wheel_name

#: As in a project: other files than modules are read up to this size, in bytes.
_SMALL = 256 << 10
_MODULE = 16 << 20
_TAGS = re.compile(
    r"any|win32|win_(?:amd64|arm64)|(?:many|musl)linux\w+|macosx\w+|ios\w+|android\w+|pyodide\w+"
)

#: Path inside the file -> bytes, None where they were not read.
Contents = dict[str, bytes | None]


class ArtifactCode(SourceCode):
    """The code in a built file. Paths are told with the file's name before them."""

    def __init__(self, artifact: Artifact, contents: Contents, allow: Sequence[str] = ()) -> None:
        self.artifact = artifact
        sources = {
            path: data
            for path, data in contents.items()
            if data is not None and module_name(path) and artifact.kind is not Kind.SDIST
        }
        facts = dict(zip(sources, read_all_facts(list(sources.values())), strict=True))
        modules = {}
        for path in sources:
            name, is_package = module_name(path) or ("", False)
            modules[name] = CodeModule(name, self.display_path(path), is_package, facts[path])
        super().__init__(modules, list(contents))
        self.allow = list(allow)
        self.version = artifact.version
        self.requires_python = artifact.requires_python or ""
        self.minors = allowed_minors(self.requires_python)
        self.files = {self.display_path(path): data for path, data in contents.items()}
        self.entry_points = _parse_entry_points(contents)
        self.name = artifact.name
        self.dependencies = [] if artifact.kind.is_conda else list(artifact.depends)
        # A conda package depends on conda's names; an sdist's code is not judged.
        self.are_dependencies_known = artifact.kind is Kind.WHEEL
        # A wheel for one platform leaves out the modules of the others.
        self.is_complete = all(tag.endswith("-any") for tag in artifact.tags)

    def display_path(self, path: str) -> str:
        return f"{self.artifact.filename}: {path}"

    def is_only_in_sdist(self, path: str) -> bool:
        del path  # which of an sdist's files its wheel would hold is not known here
        return self.artifact.kind is Kind.SDIST

    def entry_point_location(self, group: str, name: str) -> str:
        return self.display_path(f"entry_points.txt: [{group}] {name}")


def code_of_artifact(
    artifact: Artifact, contents: Contents, allow: Sequence[str] = ()
) -> ArtifactCode:
    """The code of a file whose contents were read."""
    return ArtifactCode(artifact, contents, allow)


def read_contents(artifact: Artifact) -> Contents:
    """What lies in a file, without `site-packages/` and without an sdist's own folder."""
    if artifact.kind is Kind.WHEEL:
        return _read_wheel(artifact.path)
    if artifact.kind is Kind.SDIST:
        found = _read_tar(artifact.path, "sdist")
        return {path.partition("/")[2]: data for path, data in found.items()}
    found = _read_tar(artifact.path, "pkg")
    return {
        re.sub(r"^(?:[\w./]+/)?site-packages/", "", path): data
        for path, data in found.items()
        if not path.startswith("info/")
    }


def _is_wanted(path: str, size: int) -> bool:
    return size <= (_MODULE if path.endswith((".py", ".pyi")) else _SMALL)


def _read_wheel(path: Path) -> Contents:
    from twofold.formats.wheel import WheelFile

    with WheelFile(path) as wheel:
        return {
            name: wheel.archive.read(name, _MODULE) if _is_wanted(name, member.size) else None
            for name, member in wheel.members.items()
            if not member.is_folder
        }


def _read_tar(path: Path, part: str) -> Contents:
    from twofold.formats.bounded_decompress import open_gzip
    from twofold.formats.conda_reader import open_part
    from twofold.formats.tar_safety import TarStream

    def contents(tar: TarStream) -> Contents:
        return {
            member.path: tar.read(_MODULE) if _is_wanted(member.path, member.size) else None
            for member in tar
            if member.kind == "file"
        }

    if part != "sdist":
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


def empty_package(code: ArtifactCode) -> Iterator[Violation]:
    """TF203: of wheels. One that only brings dependencies is empty on purpose."""
    if code.artifact.kind is not Kind.WHEEL:
        return
    inside = [path.partition(": ")[2] for path in code.files]
    packed = [path for path in inside if ".dist-info/" not in path]
    if any(is_code(path) or ".data/" in path for path in packed):
        return
    if packed or not code.artifact.depends:
        yield Violation(
            "there is nothing in the wheel that can be imported",
            "build it again, and look at 'twofold build --list'",
            code.artifact.filename,
            severity=WARNING if packed else "",
        )


def compiled_module(code: ArtifactCode) -> Iterator[Violation]:
    """TF206: of wheels, once each. Some bring the libraries of several platforms on purpose."""
    if code.artifact.kind is not Kind.WHEEL or not code.is_complete:
        return
    compiled = [path for path in code.files if is_compiled(path)]
    if compiled:
        more = f" (and {len(compiled) - 1} more)" if len(compiled) > 1 else ""
        yield Violation(
            f"it is compiled for one platform, and the wheel's tag says that it runs on all{more}",
            "build the wheel with a backend that compiles, for each platform",
            compiled[0],
            severity=severity_of(compiled[0], compiled),
        )


def unportable_name(code: ArtifactCode) -> Iterator[Violation]:
    """TF207: of conda packages for every platform, and of sdists; in wheels TF402 speaks."""
    artifact = code.artifact
    if artifact.kind is not Kind.WHEEL and "linux" not in artifact.subdir:
        yield from junk.unportable_name(code)


def platform_tag(code: ArtifactCode) -> Iterator[Violation]:
    """TF407"""
    for tag in code.artifact.tags if code.artifact.kind is Kind.WHEEL else ():
        platform = tag.rpartition("-")[2]
        if not _TAGS.fullmatch(platform):
            yield Violation(
                f"the platform tag '{platform}' is not one that PyPI takes",
                "repair the wheel with auditwheel (manylinux), or keep it to a registry of "
                "your own",
                code.artifact.filename,
            )


def old_file_name(code: ArtifactCode) -> Iterator[Violation]:
    """TF410: PEP 625 and the binary distribution format ask for the normalised name."""
    artifact = code.artifact
    if artifact.kind.is_conda:
        return
    parse = parse_wheel_name if artifact.kind is Kind.WHEEL else parse_sdist_name
    written, wanted = parse(artifact.filename).name, escape_for_filename(artifact.name)
    if written != wanted:
        yield Violation(
            f"the file name begins with '{written}' and not with '{wanted}'",
            "build it with a backend that follows PEP 625",
            artifact.filename,
        )
