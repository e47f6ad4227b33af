"""The plan: for every file and every target, what would happen and why. Nothing is sent here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from twofold.errors import Problem
from twofold.publish.files import ReleaseFile
from twofold.publish.journal import Journal
from twofold.publish.targets.protocol import Seen, Target


class Action(StrEnum):
    """What happens to one file at one target."""

    UPLOAD = "upload"
    NOTHING = "nothing"  # the same bytes are there already
    SKIP = "skip"  # the target is not for this kind of file
    REFUSED = "refused"  # it would be refused, so nothing at all is sent anywhere


@dataclass(frozen=True)
class Step:
    """One file at one target. `url` is where it is already, as far as known."""

    target: Target
    file: ReleaseFile
    action: Action
    reason: str
    hint: str = ""
    url: str = ""

    @property
    def row(self) -> dict[str, str]:
        """What `--json` and the printed plan tell of it."""
        return {
            "target": self.target.settings.name,
            "file": self.file.name,
            "sha256": self.file.artifact.sha256,
            "action": self.action.value,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Plan:
    """Every step, in the order in which it is done."""

    steps: tuple[Step, ...]

    @property
    def uploads(self) -> list[Step]:
        return [step for step in self.steps if step.action is Action.UPLOAD]

    @property
    def present(self) -> list[Step]:
        """The files that are there, or will be when the plan is done."""
        return [s for s in self.steps if s.action in (Action.UPLOAD, Action.NOTHING)]

    @property
    def problems(self) -> list[Problem]:
        return [
            Problem(step.reason, step.hint, f"{step.file.name} -> {step.target.settings.name}")
            for step in self.steps
            if step.action is Action.REFUSED
        ]


def make_plan(
    files: Sequence[ReleaseFile], targets: Sequence[Target], journal: Journal, *, named: bool
) -> Plan:
    """Ask every target what it has. `named` says that the user named the files.

    File by file, each to all its targets, so that the conda packages go out only after the
    wheel they come from is everywhere it belongs.
    """
    return Plan(tuple(_step(t, f, journal, named) for f in files for t in targets))


def _step(target: Target, file: ReleaseFile, journal: Journal, named: bool) -> Step:
    kind = file.artifact.kind
    wanted = target.settings.files
    if kind not in target.takes:
        return Step(target, file, Action.SKIP, f"it takes no {kind.value} files")
    if wanted and kind.value not in wanted:
        return Step(target, file, Action.SKIP, f"`files` of this target leaves out {kind.value}")
    if not wanted and not named and kind not in target.is_for:
        return Step(target, file, Action.SKIP, f"{kind.value} files are not sent there unasked")
    objections = [reason for rule in target.rules if (reason := rule(file))]
    if objections:
        return Step(target, file, Action.REFUSED, "; ".join(objections))
    return _compared(target, file, target.look(file), journal)


def _compared(target: Target, file: ReleaseFile, seen: Seen, journal: Journal) -> Step:
    ours = file.artifact.sha256
    noted = journal.get(target.settings.url, file.name)
    if seen.is_ours(file.artifact):
        packed = f"the same content is there, packed as sha256 {seen.sha256}"
        reason = packed if seen.same_content else "identical already there"
        return Step(target, file, Action.NOTHING, reason, url=seen.url)
    if seen.state == "present" and seen.sha256 is not None:
        return Step(target, file, Action.REFUSED, *different(ours, seen.sha256))
    if noted is not None and noted.sha256 != ours and noted.state != "sending":
        reason, hint = different(ours, noted.sha256)
        hint += f", or remove {journal.path} if the target was emptied"
        return Step(target, file, Action.REFUSED, f"{reason} (by the journal)", hint)
    if seen.state == "absent":
        return Step(target, file, Action.UPLOAD, "new")
    if noted is not None and noted.state != "sending":
        return Step(target, file, Action.NOTHING, "sent before, by the journal", url=seen.url)
    if seen.state == "present":
        return Step(target, file, Action.REFUSED, "a file of that name is there and tells no hash")
    return Step(target, file, Action.UPLOAD, f"not known whether it is there ({seen.note})")


def different(ours: str, theirs: str) -> tuple[str, str]:
    """Message and hint for a name that is used by other bytes."""
    return (
        f"a different file has this name there: sha256 {theirs}, ours is {ours}",
        "a published file is never replaced: publish under a new version",
    )
