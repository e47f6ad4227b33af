"""Built files through their rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import combinations
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.check import structure
from twofold.check.files import Contents, code_of_artifact, read_contents
from twofold.check.finding import Finding
from twofold.check.order import sort_findings
from twofold.check.pypi_metadata import find_metadata_problems
from twofold.check.rule_table import RULES, Rule, Violation
from twofold.check.subject import FileMetadata
from twofold.errors import BadFile, Problem
from twofold.formats import reader
from twofold.formats.core_metadata import parse_metadata
from twofold.formats.deep_check import find_problems

_STRUCTURE = [rule for rule in RULES if rule.in_file == "structure"]
#: TF401 takes what no other rule owns.
_STRUCTURE.sort(key=lambda rule: (rule.code == "TF401", rule.code != "TF402", rule.code != "TF404"))
_METADATA = [rule for rule in RULES if rule.in_file in ("metadata", "readme")]
_PAIRS = [rule for rule in RULES if rule.in_file == "pairs"]
_RELEASES = [rule for rule in RULES if rule.in_file == "releases"]
_CONTENTS = [
    rule
    for rule in RULES
    if rule.in_file and rule not in (*_STRUCTURE, *_METADATA, *_PAIRS, *_RELEASES)
]


def check_structure(path: Path) -> list[Finding]:
    """Structure and metadata: what can be told without parsing code or rendering a readme."""
    artifact, findings = _open_and_check(path)
    if artifact is not None:
        findings += _check_metadata(
            artifact, [rule for rule in _METADATA if rule.in_file != "readme"]
        )
    return sort_findings(findings)


def check_artifact(path: Path, ignore: frozenset[str], allow: Sequence[str] = ()) -> list[Finding]:
    """Structure, metadata and the code inside. `allow`: globs of files that may look secret."""
    artifact, findings = _open_and_check(path)
    if artifact is not None:
        findings += _check_metadata(artifact, _METADATA)
        findings += _check_contents(artifact, allow)
    return sort_findings(finding for finding in findings if finding.code not in ignore)


def check_artifacts(
    paths: Sequence[Path], ignore: frozenset[str], allow: Sequence[str] = ()
) -> list[Finding]:
    """Each file, each wheel beside the sdist of the same release, and each sdist beside another."""
    findings = [finding for path in paths for finding in check_artifact(path, ignore, allow)]
    sound = [artifact for path in paths if (artifact := _read_or_none(path)) is not None]
    for wheel in sound:
        for sdist in sound:
            if (
                wheel.kind is Kind.WHEEL
                and sdist.kind is Kind.SDIST
                and _is_same_release(wheel, sdist)
            ):
                findings += _run_rules(_PAIRS, wheel, sdist)
    sdists = [artifact for artifact in sound if artifact.kind is Kind.SDIST]
    for first, second in combinations(sdists, 2):
        if _is_same_release(first, second):
            findings += _run_rules(_RELEASES, first, second)
    return sort_findings(finding for finding in findings if finding.code not in ignore)


def _open_and_check(path: Path) -> tuple[Artifact | None, list[Finding]]:
    """The file's artifact, None when it cannot be read, and what is wrong with its structure."""
    problems = find_problems(path)
    artifact = _read_or_none(path)
    if artifact is not None and not artifact.kind.is_conda:
        problems += find_metadata_problems(artifact)
    return artifact, _structure_findings(path, problems)


def _structure_findings(path: Path, problems: Iterable[Problem]) -> list[Finding]:
    """What `formats` says, each with the code of its rule."""
    findings = []
    for problem in dict.fromkeys(problems):
        rule = next(rule for rule in _STRUCTURE if getattr(structure, rule.function)(problem))
        where = problem.where if problem.where.startswith(path.name) else path.name
        findings.append(Finding(rule.code, rule.severity, problem.message, problem.hint, where))
    return findings


def _check_metadata(artifact: Artifact, rules: Sequence[Rule]) -> list[Finding]:
    if artifact.kind.is_conda:
        return []
    said = FileMetadata(artifact.filename, parse_metadata(artifact.metadata))
    return _run_rules(rules, said)


def _check_contents(artifact: Artifact, allow: Sequence[str]) -> list[Finding]:
    try:
        contents: Contents = read_contents(artifact)
    except BadFile as error:  # damaged inside: nothing more can be said of it
        return _structure_findings(artifact.path, error.problems)
    return _run_rules(_CONTENTS, code_of_artifact(artifact, contents, allow))


def _run_rules(rules: Sequence[Rule], *subjects: object) -> list[Finding]:
    findings = []
    for rule in rules:
        judge = getattr(import_module(f"twofold.check.{rule.in_file}"), rule.function)
        findings += [_make_finding(rule, told) for told in judge(*subjects)]
    return findings


def _make_finding(rule: Rule, violation: Violation) -> Finding:
    return Finding(
        rule.code,
        violation.severity or rule.severity,
        violation.message,
        violation.hint,
        violation.where,
    )


def _read_or_none(path: Path) -> Artifact | None:
    try:
        return reader.read_artifact(path)
    except BadFile:
        return None  # told as a finding of its own


def _is_same_release(one: Artifact, other: Artifact) -> bool:
    from twofold.names import normalize_name

    return normalize_name(one.name) == normalize_name(other.name) and one.version == other.version
