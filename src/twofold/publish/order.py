"""A publication: its options, open targets, findings and plan."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any

from twofold.check import Finding, check_files
from twofold.check.settings import CheckSettings, read_check_settings
from twofold.errors import Problem, ProjectErrors, UsageError
from twofold.publish.files import ReleaseFile, find_release_files
from twofold.publish.journal import JOURNAL_NAME, Journal
from twofold.publish.plan import Plan, Step, make_plan, weigh_findings
from twofold.publish.resolve import get_default_targets, resolve_targets
from twofold.publish.responses import RetryPolicy
from twofold.publish.run import Event, EventHandler, carry_out
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import open_targets
from twofold_build.diagnostics import Diagnostics


@dataclass(frozen=True)
class PublishTable:
    """`to`: the project's targets. `verify` is False if files are not fetched back."""

    to: tuple[str, ...] = ()
    verify: bool = True


def read_publish_table(project: Path) -> PublishTable:
    """Read `[tool.twofold.publish]`; empty without a pyproject.toml or such a table.

        [tool.twofold.publish]
        to = ["pypi", "anaconda:me"]
        verify = false                # do not fetch files back: for indexes that cannot be read

    Raises ProjectErrors for an invalid table.
    """
    where = "pyproject.toml: [tool.twofold.publish]"
    table = _read_table(project, "publish")
    if not isinstance(table, dict):
        raise ProjectErrors([Problem("it must be a table", "write [tool.twofold.publish]", where)])
    problems = [
        Problem(f"unknown key '{key}'", "the keys are: to, verify", where)
        for key in table
        if key not in ("to", "verify")
    ]
    targets, verify = table.get("to", []), table.get("verify", True)
    if not isinstance(targets, list) or not all(isinstance(t, str) for t in targets):
        hint = 'write to = ["pypi", "anaconda:me"]'
        problems.append(Problem("'to' must be a list of targets", hint, where))
    if not isinstance(verify, bool):
        problems.append(Problem("'verify' must be true or false", "write verify = false", where))
    if problems:
        raise ProjectErrors(problems)
    return PublishTable(tuple(targets), verify)


def load_check_settings(project: Path) -> CheckSettings:
    """Read `[tool.twofold.check]`: the ignored rules, the allowed secret-like files.

    Raises ProjectErrors for an invalid table.
    """
    file = project / "pyproject.toml"
    mistakes = Diagnostics(file.name, file.read_text("utf-8") if file.is_file() else "")
    settings = read_check_settings(_read_document(project), mistakes)
    mistakes.raise_all()
    return settings


def _read_table(project: Path, name: str) -> Any:
    """[tool.twofold.NAME] of the project's pyproject.toml; empty if missing."""
    value: Any = _read_document(project)
    for key in ("tool", "twofold", name):
        value = value.get(key, {}) if isinstance(value, dict) else {}
    return value


def _read_document(project: Path) -> dict[str, Any]:
    file = project / "pyproject.toml"
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        hint = "correct it: 'twofold check' names the line"
        raise ProjectErrors([Problem(f"it is not valid TOML: {error}", hint, file.name)]) from error


@dataclass(frozen=True)
class Order:
    """The options: `files` (empty: the last build's), `targets` as the user wrote them.

    `ignore` are codes of checks (TF408) to ignore, in addition to those of the project. `named`
    is True if the user named the files: then a target gets every kind it accepts, not only its
    default kinds. `attests` is True if missing attestations are made.
    """

    files: Sequence[Path] = ()
    targets: Sequence[str] = ()
    project: Path = field(default_factory=Path.cwd)
    retry_policy: RetryPolicy = field(default_factory=RetryPolicy)
    ignore: Sequence[str] = ()
    named: bool = True
    skip_existing: bool = False
    attests: bool = False


@dataclass
class Publication:
    """Open targets, the files and the plan; use it in a `with` so that connections are closed.

    Errors among `findings` stop it.
    """

    files: list[ReleaseFile]
    targets: list[Target]
    journal: Journal
    plan: Plan
    retry_policy: RetryPolicy
    findings: list[Finding]
    attests: bool = False

    def carry_out(self, report: EventHandler) -> list[Step]:
        """Execute the plan; returns the uploads. See `run.carry_out` for the exceptions."""
        self.require_accepted()
        if self.attests:
            from twofold.publish.attestation_signing import sign_missing

            self.plan = sign_missing(self.plan, lambda text: report(Event("step", note=text)))
        return carry_out(self.plan, self.journal, self.retry_policy, report)

    @property
    def is_refused(self) -> bool:
        """Whether a check or a target refuses any file."""
        return bool(self.plan.problems) or any(finding.is_error for finding in self.findings)

    def require_accepted(self) -> None:
        """Raise ProjectErrors if a check or a target refuses any file: nothing is sent."""
        found = [
            Problem(f"{finding.message} ({finding.code})", finding.hint, finding.where)
            for finding in self.findings
            if finding.is_error
        ]
        if found or self.plan.problems:
            raise ProjectErrors([*found, *self.plan.problems])

    def close(self) -> None:
        """Close the targets."""
        for target in self.targets:
            target.close()

    def __enter__(self) -> Publication:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def choose_targets(order: Order) -> list[TargetSettings]:
    """The targets: those named, else the project's, else TWINE_REPOSITORY(_URL).

    No server is contacted. Raises UsageError if there is no target.
    """
    table = read_publish_table(order.project)
    words = list(order.targets) or list(table.to) or get_default_targets()
    if not words:
        raise UsageError("no target to publish to", "add --to TARGET: a name or a URL")
    found = resolve_targets(words)
    return found if table.verify else [replace(settings, verify=False) for settings in found]


def prepare(order: Order) -> Publication:
    """Find and check the files, open and query the targets, make the plan; sends nothing."""
    settings = choose_targets(order)
    files = find_release_files(order.files, order.project)
    settled = load_check_settings(order.project)
    ignore = {*order.ignore, *settled.ignore}
    findings = check_files([file.artifact.path for file in files], ignore, settled.allow)
    journal = Journal(files[0].artifact.path.parent / JOURNAL_NAME)
    targets = open_targets(settings, order.retry_policy)
    try:
        named = order.named and bool(order.files)
        plan = make_plan(
            files, targets, journal, findings, named=named, skip_existing=order.skip_existing
        )
        if order.attests:
            from twofold.publish.attestation_signing import plan_attestations

            plan = plan_attestations(plan)
    except BaseException:
        for target in targets:
            target.close()
        raise
    weighed = weigh_findings(findings, plan)
    return Publication(
        files, targets, journal, plan, order.retry_policy, weighed, attests=order.attests
    )
