"""Built files through their rules."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib import import_module
from itertools import combinations
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.check import structure
from twofold.check.files import Contents, in_file, read_contents
from twofold.check.finding import Finding
from twofold.check.order import in_order
from twofold.check.refusals import metadata_problems
from twofold.check.rules import RULES, Rule, Told
from twofold.check.said import FileSaid
from twofold.errors import BadFile, Problem
from twofold.formats import opening
from twofold.formats.contents import problems_of
from twofold.formats.core_metadata import parse_metadata

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


def structure_findings(path: Path) -> list[Finding]:
    """Structure and metadata: what can be told without parsing code or rendering a readme."""
    artifact, findings = _structure(path)
    if artifact is not None:
        findings += _of_metadata(artifact, [rule for rule in _METADATA if rule.in_file != "readme"])
    return in_order(findings)


def file_findings(path: Path, ignore: frozenset[str], allow: Sequence[str] = ()) -> list[Finding]:
    """Structure, metadata and the code inside. `allow`: globs of files that may look secret."""
    artifact, findings = _structure(path)
    if artifact is not None:
        findings += _of_metadata(artifact, _METADATA)
        findings += _of_contents(artifact, allow)
    return in_order(finding for finding in findings if finding.code not in ignore)


def files_findings(
    paths: Sequence[Path], ignore: frozenset[str], allow: Sequence[str] = ()
) -> list[Finding]:
    """Each file, each wheel beside the sdist of the same release, and each sdist beside another."""
    findings = [finding for path in paths for finding in file_findings(path, ignore, allow)]
    sound = [artifact for path in paths if (artifact := _readable(path)) is not None]
    for wheel in sound:
        for sdist in sound:
            if wheel.kind is Kind.WHEEL and sdist.kind is Kind.SDIST and _same(wheel, sdist):
                findings += _judged(_PAIRS, wheel, sdist)
    sdists = [artifact for artifact in sound if artifact.kind is Kind.SDIST]
    for first, second in combinations(sdists, 2):
        if _same(first, second):
            findings += _judged(_RELEASES, first, second)
    return in_order(finding for finding in findings if finding.code not in ignore)


def _structure(path: Path) -> tuple[Artifact | None, list[Finding]]:
    """The file's artifact, None when it cannot be read, and what is wrong with its structure."""
    problems = problems_of(path)
    artifact = _readable(path)
    if artifact is not None and not artifact.kind.is_conda:
        problems += metadata_problems(artifact)
    return artifact, _told_of(path, problems)


def _told_of(path: Path, problems: Iterable[Problem]) -> list[Finding]:
    """What `formats` says, each with the code of its rule."""
    findings = []
    for problem in dict.fromkeys(problems):
        rule = next(rule for rule in _STRUCTURE if getattr(structure, rule.function)(problem))
        where = problem.where if problem.where.startswith(path.name) else path.name
        findings.append(Finding(rule.code, rule.severity, problem.message, problem.hint, where))
    return findings


def _of_metadata(artifact: Artifact, rules: Sequence[Rule]) -> list[Finding]:
    if artifact.kind.is_conda:
        return []
    said = FileSaid(artifact.filename, parse_metadata(artifact.metadata))
    return _judged(rules, said)


def _of_contents(artifact: Artifact, allow: Sequence[str]) -> list[Finding]:
    try:
        contents: Contents = read_contents(artifact)
    except BadFile as error:  # damaged inside: nothing more can be said of it
        return _told_of(artifact.path, error.problems)
    return _judged(_CONTENTS, in_file(artifact, contents, allow))


def _judged(rules: Sequence[Rule], *subjects: object) -> list[Finding]:
    findings = []
    for rule in rules:
        judge = getattr(import_module(f"twofold.check.{rule.in_file}"), rule.function)
        findings += [_finding(rule, told) for told in judge(*subjects)]
    return findings


def _finding(rule: Rule, told: Told) -> Finding:
    return Finding(rule.code, told.severity or rule.severity, told.message, told.hint, told.where)


def _readable(path: Path) -> Artifact | None:
    try:
        return opening.read(path)
    except BadFile:
        return None  # told as a finding of its own


def _same(one: Artifact, other: Artifact) -> bool:
    from twofold.names import normalised

    return normalised(one.name) == normalised(other.name) and one.version == other.version
