"""The rules about the files in a built file, its name and its core metadata."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.artifact import Kind
from twofold.check.artifact_code import ArtifactCode
from twofold.check.rule_table import WARNING, Violation
from twofold.check.rules import unwanted_files
from twofold.check.rules.structure import find_metadata_problems
from twofold.check.rules.unwanted_files import is_code, is_compiled, severity_of
from twofold.formats.core_metadata import find_specification_mistakes
from twofold.names import escape_for_filename, parse_sdist_name, parse_wheel_name
from twofold.source_analysis.expressions import expression

_TAGS = expression(
    r"any|win32|win_(?:amd64|arm64)|(?:many|musl)linux\w+|macosx\w+|ios\w+|android\w+|pyodide\w+"
)


def empty_package(code: ArtifactCode) -> Iterator[Violation]:
    """TF203: of wheels. One that only brings dependencies is empty on purpose."""
    if code.artifact.kind is not Kind.WHEEL:
        return
    inside = [code.inner_path(path) for path in code.files]
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
        yield from unwanted_files.unportable_name(code)


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


def refused_metadata(code: ArtifactCode) -> Iterator[Violation]:
    """TF412: registries, folders and buckets take such files, which PyPI has from earlier years."""
    if code.artifact.kind.is_conda:
        return
    mistakes = find_specification_mistakes(code.artifact.metadata)
    if mistakes and find_metadata_problems(code.artifact):
        return  # TF406 has its own words for the metadata that nobody takes
    for mistake in mistakes:
        yield Violation(
            f"its metadata are not valid: {mistake}",
            "build it with a newer version of its backend, or keep it to a registry of your own",
            code.artifact.filename,
        )
