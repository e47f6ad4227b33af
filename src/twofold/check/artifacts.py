"""Built files through their rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.check.artifact_code import ArtifactCode, read_contents
from twofold.check.finding import Finding, sort_findings
from twofold.check.rule_table import BY_CODE, WARNING, Violation, load_extra_rules
from twofold.check.rules import release_set, structure
from twofold.check.rules.metadata import METADATA_RULES, readme_does_not_render
from twofold.check.rules.structure import find_metadata_problems
from twofold.check.settings import read_check_settings
from twofold.check.subject import FileMetadata
from twofold.errors import BadFile, Problem
from twofold.formats import reader
from twofold.formats.core_metadata import parse_metadata
from twofold.formats.deep_check import find_problems
from twofold.names.conda_forge import find_pypi_names
from twofold_build.diagnostics import Diagnostics
from twofold_build.toml import loads

#: Rules about a wheel and an sdist of the same release, and about two sdists of one.
PAIR_RULES: dict[str, Callable[[Artifact, Artifact], Iterator[Violation]]] = {
    "TF408": release_set.wheel_not_in_sdist,
    "TF409": release_set.wheel_unlike_sdist,
}
SDIST_RULES: dict[str, Callable[[Artifact, Artifact], Iterator[Violation]]] = {
    "TF411": release_set.second_sdist,
}


def load_rules() -> None:
    """Import all that `check_artifacts` needs. Raises TwofoldError for a rule that is wrong."""
    list_code_rules()
    list(load_extra_rules())


def list_code_rules() -> dict[str, Callable[[ArtifactCode], Iterator[Violation]]]:
    """The rules about the files inside; a registry's admission checks never load their modules."""
    from twofold.check.rules import (
        artifact_files,
        code,
        dependencies,
        import_cycles,
        import_names,
        installed_files,
        python_versions,
        secrets,
        unwanted_files,
    )

    return {
        "TF032": import_names.no_such_import_name,
        "TF101": code.syntax_error,
        "TF102": code.entry_point_to_nothing,
        "TF103": code.version_mismatch,
        "TF104": code.missing_in_all,
        "TF105": code.missing_import,
        "TF106": import_cycles.failing_cycle,
        "TF108": python_versions.newer_syntax,
        "TF109": python_versions.newer_stdlib,
        "TF111": dependencies.missing_dependency,
        "TF201": secrets.secret,
        "TF202": unwanted_files.junk,
        "TF203": artifact_files.empty_package,
        "TF205": unwanted_files.crowded_name,
        "TF206": artifact_files.compiled_module,
        "TF207": artifact_files.unportable_name,
        "TF208": installed_files.runs_uncalled,
        "TF209": installed_files.misplaced_file,
        "TF210": installed_files.duplicate_module,
        "TF211": installed_files.no_init,
        "TF407": artifact_files.platform_tag,
        "TF410": artifact_files.old_file_name,
        "TF412": artifact_files.refused_metadata,
    }


def check_structure(path: Path, read: Artifact | None = None) -> list[Finding]:
    """Structure and metadata: all that needs no parsing of code or rendering of a readme.

    `read` is the file's artifact where it was read before.
    """
    artifact, findings = _open_and_check(path, read)
    if artifact is not None:
        findings += _check_metadata(artifact, with_readme=False)
    return sort_findings(findings)


def check_artifact(
    path: Path,
    ignore: frozenset[str],
    allow: Sequence[str] = (),
    further_dependencies: Sequence[str] = (),
    wants_warnings: bool = True,
) -> list[Finding]:
    """Structure, metadata and the code inside. `allow`: globs of files that may look secret.

    `further_dependencies` are installed with the file beside those of its metadata. Some warnings
    are missing where nobody `wants_warnings`.
    """
    artifact, findings = _open_and_check(path)
    if artifact is not None:
        findings += _check_inside(artifact, allow, further_dependencies, wants_warnings)
    return sort_findings(finding for finding in findings if finding.code not in ignore)


def check_artifacts(
    paths: Sequence[Path],
    ignore: frozenset[str],
    allow: Sequence[str] = (),
    wants_warnings: bool = True,
) -> list[Finding]:
    """Each file, each wheel beside the sdist of the same release, and each sdist beside another."""
    findings: list[Finding] = []
    sound: list[Artifact] = []
    for path in paths:
        artifact, found = _open_and_check(path)
        findings += found
        if artifact is not None:
            sound.append(artifact)
            findings += _check_inside(artifact, allow, (), wants_warnings)
    pair_rules = {code: judge for code, judge in PAIR_RULES.items() if code not in ignore}
    for wheel in sound:
        for sdist in sound:
            if (
                wheel.kind is Kind.WHEEL
                and sdist.kind is Kind.SDIST
                and _is_same_release(wheel, sdist)
            ):
                findings += _compare(pair_rules, wheel, sdist)
    sdists = [artifact for artifact in sound if artifact.kind is Kind.SDIST]
    for first, second in combinations(sdists, 2):
        if _is_same_release(first, second):
            findings += _compare(SDIST_RULES, first, second)
    return sort_findings(finding for finding in findings if finding.code not in ignore)


def _open_and_check(
    path: Path, read: Artifact | None = None
) -> tuple[Artifact | None, list[Finding]]:
    """The file's artifact, None when it cannot be read, and what is wrong with its structure."""
    try:
        artifact = read or reader.read_artifact(path)
    except BadFile as error:
        return None, _structure_findings(path, error.problems)
    problems = find_problems(path, is_read=True)
    if not artifact.kind.is_conda:
        problems += find_metadata_problems(artifact)
    return artifact, _structure_findings(path, problems)


def _structure_findings(path: Path, problems: Iterable[Problem]) -> list[Finding]:
    """The problems that `formats` found, each with the code of its rule."""
    findings = []
    for problem in dict.fromkeys(problems):
        code = next(code for code, is_owner in structure.PREDICATES.items() if is_owner(problem))
        where = problem.where if problem.where.startswith(path.name) else path.name
        findings.append(BY_CODE[code].make_finding(Violation(problem.message, problem.hint, where)))
    return findings


def _check_metadata(artifact: Artifact, with_readme: bool) -> list[Finding]:
    if artifact.kind.is_conda:
        return []
    metadata = FileMetadata(artifact.filename, parse_metadata(artifact.metadata))
    return [
        BY_CODE[code].make_finding(violation)
        for code, judge in METADATA_RULES.items()
        if with_readme or judge is not readme_does_not_render
        for violation in judge(metadata)
    ]


def _check_inside(
    artifact: Artifact,
    allow: Sequence[str],
    further_dependencies: Sequence[str],
    wants_warnings: bool,
) -> list[Finding]:
    """The findings of the metadata, and of the files inside."""
    findings = _check_metadata(artifact, with_readme=True)
    try:
        contents = read_contents(artifact)
    except BadFile as error:  # damaged inside: no rule can judge it
        return findings + _structure_findings(artifact.path, error.problems)
    code = ArtifactCode(artifact, contents, allow, wants_warnings)
    code.dependencies += further_dependencies
    findings += [
        BY_CODE[rule].make_finding(violation)
        for rule, judge in list_code_rules().items()
        for violation in judge(code)
    ]
    for extra in load_extra_rules():
        found = extra.judge_file(code) if extra.judge_file else ()
        findings += [extra.row.make_finding(violation) for violation in found]
    return findings


def _compare(
    rules: Mapping[str, Callable[[Artifact, Artifact], Iterator[Violation]]],
    first: Artifact,
    second: Artifact,
) -> list[Finding]:
    return [
        BY_CODE[code].make_finding(violation)
        for code, judge in rules.items()
        for violation in judge(first, second)
    ]


def _is_same_release(one: Artifact, other: Artifact) -> bool:
    from twofold.names import normalize_name

    return normalize_name(one.name) == normalize_name(other.name) and one.version == other.version


#: What another backend may want so: a wheel without modules, and other metadata in the wheel than
#: in the sdist that it was built from.
_ONLY_WARNED_OF = ("TF203", "TF409")


def find_built_errors(root: Path, paths: Sequence[Path]) -> list[Finding]:
    """The errors in built files, less what the project's `[tool.twofold.check]` leaves out.

    Raises ProjectErrors when that table is wrong.
    """
    path = root / "pyproject.toml"
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    mistakes = Diagnostics(path.name, text)
    settings = read_check_settings(loads(text), mistakes)
    mistakes.raise_all()
    # The wheel was built from this very sdist: what the sdist lacks, the build generated.
    ignore = settings.ignore | {"TF408"}
    findings = check_artifacts(paths, ignore, settings.allow, wants_warnings=False)
    return [_weaken(found) for found in findings if found.is_error]


def _weaken(found: Finding) -> Finding:
    """Make a warning of an error that does not stop the build of another backend."""
    severity = WARNING if found.code in _ONLY_WARNED_OF else found.severity
    return Finding(found.code, severity, found.message, found.hint, found.where, found.fix)


def find_source_errors(wheel: Path, specs: Sequence[str]) -> list[Finding]:
    """The errors in a wheel whose package depends on the match specs of its recipe."""
    import re

    names = {re.split(r"[\s\[=<>!~]", spec.rpartition("::")[2].strip())[0] for spec in specs}
    plain = sorted(name for name in names - {"python", ""} if not name.startswith("__"))
    further = [*plain, *find_pypi_names(plain)]
    return [f for f in check_artifact(wheel, frozenset(), (), further, False) if f.is_error]
