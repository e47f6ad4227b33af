"""Changes to published releases: what each target would do, and doing it.

As for uploads there is a plan first: what one target is known to refuse is refused before any
target is changed. A change is read back afterwards; a repeated command continues where it stopped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from twofold.errors import Problem, ProjectErrors, Refused, Unreachable
from twofold.publish.responses import RetryPolicy
from twofold.publish.targets.anaconda import AnacondaOrg
from twofold.publish.targets.anaconda_releases import AnacondaManager
from twofold.publish.targets.conda_servers import CondaServer, CondaServerManager
from twofold.publish.targets.folder import Folder, FolderManager
from twofold.publish.targets.legacy import LegacyIndex, PageManager
from twofold.publish.targets.protocol import Target
from twofold.publish.targets.registry import RegistryManager, TwofoldRegistry
from twofold.publish.targets.release_managers import (
    Promotion,
    PublishedFile,
    PublishedProject,
    ReadOnlyManager,
    ReleaseManager,
)
from twofold.publish.targets.settings import TargetSettings
from twofold.publish.trusted_publishing import open_targets

Verb = Literal["yank", "unyank", "delete", "promote", "set-status"]

#: Verb -> what a row of the plan and an event call the change.
DONE = {
    "yank": "yanked",
    "unyank": "unyanked",
    "delete": "deleted",
    "promote": "promoted",
    "set-status": "changed the status of",
}


@dataclass(frozen=True)
class ReleaseChange:
    """What is changed: a release of a project, one file of it, or for '' every release.

    `reason` belongs to a yank and to a status; `promotion` and `status` to their verbs.
    """

    verb: Verb
    project: str
    version: str = ""
    file: str = ""
    reason: str = ""
    status: str = ""
    promotion: Promotion | None = None

    @property
    def subject(self) -> str:
        """The release, for messages."""
        release = f"{self.project} {self.version}".strip()
        return f"{self.file} of {release}" if self.file else release

    def select(self, published: PublishedProject) -> list[PublishedFile]:
        """The published files that the change is about."""
        files = published.list_files(self.version)
        return [f for f in files if self.file in ("", f.name, f.name.rpartition("/")[2])]

    def is_done(self, published: PublishedProject) -> bool:
        """Whether the target is already in the state that the change leads to."""
        files = self.select(published)
        if self.verb == "yank":
            return bool(files) and all(
                file.yanked is not None and self.reason in ("", file.yanked) for file in files
            )
        if self.verb == "unyank":
            return bool(files) and all(file.yanked is None for file in files)
        if self.verb == "set-status":
            return (published.status or "active", published.reason) == (self.status, self.reason)
        return self.verb == "delete" and not files


@dataclass(frozen=True)
class ChangeStep:
    """A change at one target: `change` it, `nothing` to do, or `refused` with a reason."""

    target: Target
    manager: ReleaseManager
    change: ReleaseChange
    files: tuple[PublishedFile, ...]
    action: Literal["change", "nothing", "refused"]
    reason: str
    hint: str = ""

    @property
    def row(self) -> dict[str, object]:
        """The row of the printed plan and of `--json`."""
        return {
            "target": self.target.settings.name,
            "project": self.change.project,
            "version": self.change.version,
            "files": [file.name for file in self.files],
            "action": self.change.verb if self.action == "change" else self.action,
            "reason": self.reason,
        }


#: Class of the target -> its manager; other targets can only be read by their own tools.
_MANAGERS: Mapping[type, Callable[[Any], ReleaseManager]] = {
    TwofoldRegistry: RegistryManager,
    AnacondaOrg: AnacondaManager,
    Folder: FolderManager,
    CondaServer: CondaServerManager,
    LegacyIndex: PageManager,
}


def make_manager(target: Target) -> ReleaseManager:
    """Make the manager of an open target."""
    make = _MANAGERS.get(type(target))
    return make(target) if make else ReadOnlyManager()


def plan_changes(change: ReleaseChange, targets: Sequence[Target]) -> list[ChangeStep]:
    """Query every target; changes nothing."""
    return [_plan_step(change, target) for target in targets]


def require_possible(steps: Sequence[ChangeStep]) -> None:
    """Raise ProjectErrors if a target refuses, or none has what is to be deleted."""
    refused = [s for s in steps if s.action == "refused"]
    problems = [Problem(s.reason, s.hint, s.target.settings.name) for s in refused]
    if not problems and steps and all(_is_absent(step) for step in steps):
        places = ", ".join(step.target.settings.name for step in steps)
        hint = _list_command(steps[0].change, steps[0].target)
        problems.append(Problem(f"there is no {steps[0].change.subject}", hint, places))
    if problems:
        raise ProjectErrors(problems)


def carry_out_changes(
    steps: Sequence[ChangeStep], report: Callable[[ChangeStep, str], None]
) -> list[ChangeStep]:
    """Make the planned changes and read each back; returns those made.

    A lost answer is no failure if the target is in the wanted state. Raises Unreachable if a
    change was accepted and is not visible.
    """
    require_possible(steps)
    made = []
    for step in steps:
        if step.action != "change":
            continue
        try:
            _make(step)
        except Refused:
            if not _is_reached(step):
                raise
        if not _is_reached(step):
            raise Unreachable(
                f"{step.target.settings.name} accepted the change, but does not show it yet",
                _list_command(step.change, step.target),
            )
        made.append(step)
        report(step, f"{DONE[step.change.verb]} {step.change.subject}")
    return made


@contextmanager
def open_all(settings: Sequence[TargetSettings], policy: RetryPolicy) -> Iterator[list[Target]]:
    """Open targets with the credentials that publish uses, and close them."""
    targets = open_targets(settings, policy)
    try:
        yield targets
    finally:
        for target in targets:
            target.close()


def _plan_step(change: ReleaseChange, target: Target) -> ChangeStep:
    manager = make_manager(target)
    if change.verb not in manager.verbs:
        return ChangeStep(
            target, manager, change, (), "refused", *_explain(change, target, manager)
        )
    if change.promotion is not None:
        return _plan_promotion(change, change.promotion, target, manager)
    published = manager.read(change.project)
    files = tuple(change.select(published))
    if change.is_done(published):
        reason = f"there is no {change.subject}" if change.verb == "delete" else "already so"
        return ChangeStep(target, manager, change, files, "nothing", reason)
    if not files and change.verb != "set-status":
        hint = _list_command(change, target)
        return ChangeStep(
            target, manager, change, (), "refused", f"there is no {change.subject}", hint
        )
    return ChangeStep(target, manager, change, files, "change", _count(files))


def _plan_promotion(
    change: ReleaseChange, promotion: Promotion, target: Target, manager: ReleaseManager
) -> ChangeStep:
    """Promote the files under the source's label that the target has not under its own."""
    place = target.settings
    if _find_server(promotion.source) != _find_server(place):
        return ChangeStep(
            target,
            manager,
            change,
            (),
            "refused",
            f"{promotion.source.name} is on another server, and files are promoted within one",
            "publish the files to it: twofold publish FILES --to " + place.name,
        )
    (source,) = open_targets([promotion.source], RetryPolicy())
    try:
        found = change.select(make_manager(source).read(change.project))
    finally:
        source.close()
    offered = [f for f in found if not f.labels or promotion.from_label in f.labels]
    if not offered:
        message = f"{promotion.source.name} has no {change.subject} under '{promotion.from_label}'"
        hint = f"list what is there: twofold status {change.project} --to {promotion.source.word}"
        return ChangeStep(target, manager, change, (), "refused", message, hint)
    missing = _find_missing(offered, manager.read(change.project), promotion)
    if not missing:
        return ChangeStep(target, manager, change, tuple(offered), "nothing", "already there")
    return ChangeStep(target, manager, change, tuple(missing), "change", _count(missing))


def _find_missing(
    offered: Sequence[PublishedFile], published: PublishedProject, promotion: Promotion
) -> list[PublishedFile]:
    there = {f.name for f in published.files if promotion.to_label in f.labels or not f.labels}
    return [file for file in offered if file.name not in there]


def _find_server(settings: TargetSettings) -> tuple[str, str]:
    """The server of a target, and its kind: two channels of one registry share both."""
    url = settings.url.rstrip("/")
    return settings.kind, url.rpartition("/")[0] if settings.kind == "registry" else url


def _explain(change: ReleaseChange, target: Target, manager: ReleaseManager) -> tuple[str, str]:
    """Why a kind of target cannot make a change, and what the user can do."""
    page = manager.find_page(change.project, change.version)
    deed = (
        "set the status of projects" if change.verb == "set-status" else f"{change.verb} releases"
    )
    message = f"a target of the kind {target.settings.kind} cannot {deed}"
    if page:
        return f"{message} through its API", f"do it on the page of the release: {page}"
    return message, _suggest_instead(change, target.settings, manager)


def _suggest_instead(
    change: ReleaseChange, settings: TargetSettings, manager: ReleaseManager
) -> str:
    if change.verb == "promote":
        return f"publish the files there: twofold publish FILES --to {settings.word}"
    if change.verb == "yank" and "delete" in manager.verbs:
        release = f"{change.project}=={change.version}"
        return f"delete it there: twofold delete {release} --to {settings.word}"
    if settings.kind == "folder":
        return "a folder has no place for that; a registry does"
    return "use the server's own tools"


def _make(step: ChangeStep) -> None:
    change, manager = step.change, step.manager
    versions = dict.fromkeys(file.version for file in step.files)
    if change.verb == "delete":
        manager.delete(change.project, step.files)
    elif change.verb == "set-status":
        manager.set_status(change.project, change.status, change.reason)
    elif change.promotion is not None:
        manager.promote(change.project, step.files, change.promotion)
    else:
        for version in versions:
            reason = change.reason if change.verb == "yank" else None
            manager.set_yank(change.project, version, reason)


def _is_reached(step: ChangeStep) -> bool:
    published = step.manager.read(step.change.project)
    if step.change.promotion is not None:
        return not _find_missing(step.files, published, step.change.promotion)
    return step.change.is_done(published)


def _list_command(change: ReleaseChange, target: Target) -> str:
    """The hint to list a project's releases at the target."""
    return f"list what is there: twofold status {change.project} --to {target.settings.word}"


def _is_absent(step: ChangeStep) -> bool:
    return step.change.verb == "delete" and step.action == "nothing"


def _count(files: Sequence[PublishedFile]) -> str:
    names = ", ".join(file.name for file in files[:3])
    return f"{len(files)} file(s): {names}{', ...' if len(files) > 3 else ''}"
