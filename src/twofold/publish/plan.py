"""The plan: the action for every file and target, and its reason. Nothing is sent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from twofold.check import Finding
from twofold.check.rule_table import BY_CODE, EVERY_TARGET, WARNING
from twofold.errors import Problem
from twofold.publish.files import ReleaseFile
from twofold.publish.journal import Journal
from twofold.publish.rules import attestation
from twofold.publish.targets.protocol import ProbesTogether, RemoteState, Target

#: The rules of a target that refuses every file of ours, and of one that cannot be read.
NO_PERMISSION, NOT_VERIFIABLE = ("no-right",), ("cannot-be-verified",)

#: (message, hint) for a target whose files cannot be fetched back.
UNREADABLE = (
    "no simple index was found for this upload URL, so uploads to it cannot be verified",
    "write a [targets.NAME] table with url, kind and `index`, the simple index of the uploaded "
    "files; or with `verify = false`, to publish without verification",
)


class Action(StrEnum):
    """The action for one file at one target."""

    UPLOAD = "upload"
    NOTHING = "nothing"  # the same file is there already
    SKIP = "skip"  # the target is not for this kind of file
    REFUSED = "refused"  # it would be refused, so nothing is sent to any target


@dataclass(frozen=True)
class Step:
    """One file at one target. `url` is its URL if it is there already, as far as known.

    `rules` name what refuses it: codes of checks (TF201), or rules of the target
    (`local-version`). `is_checks` is True for codes of checks, and `is_taken` if the name is used
    by another file.
    """

    target: Target
    file: ReleaseFile
    action: Action
    reason: str
    hint: str = ""
    url: str = ""
    rules: tuple[str, ...] = ()
    is_checks: bool = False
    is_taken: bool = False

    @property
    def is_for_pypi(self) -> bool:
        """Whether the file would be sent to PyPI."""
        return self.target.settings.kind == "pypi" and self.action is not Action.SKIP

    @property
    def where(self) -> str:
        """Where a refusal is: the file at the target, or the target for all files."""
        target = self.target.settings.name
        return (
            target
            if self.rules in (NO_PERMISSION, NOT_VERIFIABLE)
            else f"{self.file.name} -> {target}"
        )

    @property
    def row(self) -> dict[str, object]:
        """The row of the printed plan and of `--json`."""
        return {
            "target": self.target.settings.name,
            "file": self.file.name,
            "sha256": self.file.artifact.sha256,
            "action": self.action.value,
            "reason": self.reason,
            "rules": list(self.rules),
        }


@dataclass(frozen=True)
class Plan:
    """All steps, in the order of execution."""

    steps: tuple[Step, ...]

    @property
    def uploads(self) -> list[Step]:
        """The steps that upload a file."""
        return [step for step in self.steps if step.action is Action.UPLOAD]

    @property
    def present(self) -> list[Step]:
        """The steps whose files are at the target once the plan is done."""
        return [s for s in self.steps if s.action in (Action.UPLOAD, Action.NOTHING)]

    @property
    def problems(self) -> list[Problem]:
        """Why targets refuse files; the findings of checks are reported separately."""
        refused = [s for s in self.steps if s.action is Action.REFUSED and not s.is_checks]
        return list(dict.fromkeys(Problem(s.reason, s.hint, s.where) for s in refused))


def make_plan(
    files: Sequence[ReleaseFile],
    targets: Sequence[Target],
    journal: Journal,
    findings: Sequence[Finding] = (),
    *,
    named: bool,
    skip_existing: bool = False,
) -> Plan:
    """Query every target for every file. `named` is True if the user named the files.

    File by file, each to all its targets, so that conda packages are sent only after their wheel
    is at every target. A file with an error among the `findings` is refused by the targets that
    the error's rule applies to (nearly always all); a target whose preflight fails refuses all
    its files. With `skip_existing`, names that another file has there are left alone.
    """
    errors = {file.name: _select_errors(findings, file.name) for file in files}
    for target in targets:
        if isinstance(target, ProbesTogether):
            target.probe_together(files)
    steps = [
        _plan_step(t, f, _select_stopping(errors[f.name], t), journal, named)
        for f in files
        for t in targets
    ]
    if skip_existing:
        steps = [_leave_existing(step) for step in steps]
    objections = {id(t): t.preflight(new) for t in targets if (new := _select_uploads(t, steps))}
    return Plan(tuple(_refuse_target(step, objections.get(id(step.target))) for step in steps))


def _select_uploads(target: Target, steps: Sequence[Step]) -> list[ReleaseFile]:
    """The files to be uploaded to the target."""
    return [s.file for s in steps if s.target is target and s.action is Action.UPLOAD]


def weigh_findings(findings: Sequence[Finding], plan: Plan) -> list[Finding]:
    """Downgrade an error to a warning if its rule applies to no target of the file."""
    stopped = {(step.file.name, code) for step in plan.steps for code in step.rules}
    return [
        f if _is_everywhere(f) or (_get_file_name(f), f.code) in stopped else _downgrade(f)
        for f in findings
    ]


def _get_file_name(finding: Finding) -> str:
    """The file name, which a finding's location starts with."""
    return finding.where.split(": ")[0].split(":")[0]


def _select_errors(findings: Sequence[Finding], name: str) -> list[Finding]:
    return [f for f in findings if f.is_error and _get_file_name(f) == name]


def _select_stopping(errors: Sequence[Finding], target: Target) -> list[Finding]:
    """The errors for which a target of this kind would refuse the file."""
    return [error for error in errors if BY_CODE[error.code].stops(target.settings.kind)]


def _is_everywhere(finding: Finding) -> bool:
    return not finding.is_error or EVERY_TARGET in BY_CODE[finding.code].refused_by


def _downgrade(finding: Finding) -> Finding:
    return Finding(finding.code, WARNING, finding.message, finding.hint, finding.where, finding.fix)


def _leave_existing(step: Step) -> Step:
    """Skip a file whose name another build of the same version has at the target."""
    if not step.is_taken:
        return step
    reason = f"{step.reason}; left alone (--skip-existing)"
    return replace(step, action=Action.SKIP, reason=reason, hint="")


def _refuse_target(step: Step, objection: Problem | None) -> Step:
    if objection is None or step.action is not Action.UPLOAD:
        return step
    refused = replace(step, action=Action.REFUSED, reason=objection.message, hint=objection.hint)
    return replace(refused, rules=NO_PERMISSION)


def _plan_step(
    target: Target, file: ReleaseFile, errors: Sequence[Finding], journal: Journal, named: bool
) -> Step:
    kind = file.artifact.kind
    wanted = target.settings.files
    if kind not in target.accepts:
        return Step(target, file, Action.SKIP, f"{kind.value} files are not supported there")
    if wanted and kind.value not in wanted:
        return Step(target, file, Action.SKIP, f"`files` of this target excludes {kind.value}")
    if not wanted and not named and kind not in target.default_kinds:
        return Step(
            target,
            file,
            Action.SKIP,
            f"{kind.value} files are sent there only if you name them, or list them in `files`",
        )
    if errors:
        reasons = dict.fromkeys(f"{finding.message} ({finding.code})" for finding in errors)
        reason = "; ".join(reasons)
        codes = tuple(dict.fromkeys(finding.code for finding in errors))
        return Step(target, file, Action.REFUSED, reason, rules=codes, is_checks=True)
    of_attestations = (attestation,) if kind in target.attestation_kinds else ()
    rules = (*of_attestations, *target.rules)
    objections = {rule: problem for rule in rules if (problem := rule(file))}
    if objections:
        names = tuple(rule.__name__.replace("_", "-") for rule in objections)
        reason = "; ".join(problem.message for problem in objections.values())
        hints = dict.fromkeys(problem.hint for problem in objections.values())
        return Step(
            target, file, Action.REFUSED, reason, "; ".join(filter(None, hints)), rules=names
        )
    if target.settings.verify and not target.is_readable:
        return Step(target, file, Action.REFUSED, *UNREADABLE, rules=NOT_VERIFIABLE)
    return _compare(target, file, target.probe(file), journal)


def _compare(target: Target, file: ReleaseFile, remote: RemoteState, journal: Journal) -> Step:
    ours = file.artifact.sha256
    noted = journal.get(target.settings.place, file.name)
    if remote.is_ours(file.artifact):
        packed = f"the same contents are already there, packed as sha256 {remote.sha256}"
        reason = packed if remote.has_same_content else "identical file already there"
        reason += f", {remote.note}" if remote.note else ""
        return Step(target, file, Action.NOTHING, reason, url=remote.url)
    if remote.state == "present" and remote.sha256 is not None:
        reason, hint = describe_difference(ours, remote.sha256)
        return Step(target, file, Action.REFUSED, reason, hint, is_taken=True)
    if noted is not None and noted.sha256 != ours and noted.state != "sending":
        reason, hint = describe_difference(ours, noted.sha256)
        hint += f", or remove {journal.path} if the target was emptied"
        return Step(
            target, file, Action.REFUSED, f"{reason} (recorded in {journal.path.name})", hint
        )
    if remote.refusal is not None:
        refusal = remote.refusal
        return Step(
            target, file, Action.REFUSED, refusal.message, refusal.hint, rules=(remote.rule,)
        )
    if remote.state == "absent":
        reason = f"{remote.note or 'new'}{_describe_attestations(target, file)}"
        return Step(target, file, Action.UPLOAD, reason)
    if noted is not None and noted.state != "sending":
        return Step(
            target,
            file,
            Action.NOTHING,
            f"sent earlier (recorded in {journal.path.name})",
            url=remote.url,
        )
    if remote.state == "present":
        return Step(
            target,
            file,
            Action.REFUSED,
            "a file of that name is there, and its hash is unknown",
            is_taken=True,
        )
    return Step(target, file, Action.UPLOAD, f"whether it is there is unknown ({remote.note})")


def _describe_attestations(target: Target, file: ReleaseFile) -> str:
    """The note about the attestations of a file: sent with it, or not supported."""
    if not file.attestations:
        return ""
    if file.artifact.kind not in target.attestation_kinds:
        return "; attestations are not supported there"
    return f", with {', '.join(path.name for path in file.attestations)}"


def describe_difference(ours: str, theirs: str) -> tuple[str, str]:
    """Message and hint for a file name that is used by other contents."""
    return (
        f"already published with other contents: sha256 {theirs}, ours is {ours}",
        "published files are never replaced: raise the version and build again",
    )
