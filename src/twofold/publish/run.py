"""Executes a plan: upload, check before a retry, fetch back and compare."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from twofold.artifact import Artifact
from twofold.errors import BadFile, Refused, TwofoldError, Unreachable
from twofold.publish.journal import Journal
from twofold.publish.plan import Action, Plan, Step, describe_difference
from twofold.publish.responses import RetryPolicy, TransientError
from twofold.publish.targets.protocol import AlreadyPublishedError, RemoteState

#: The values of an event's `event`.
EventName = Literal[
    "planned", "uploading", "progress", "uploaded", "retry", "verified", "unverified", "step"
]


@dataclass(frozen=True)
class Event:
    """A progress event; `sent` and `total` are bytes.

    `planned` is a step of the plan, `step` a message that is not about an upload.
    """

    event: EventName
    target: str = ""
    file: str = ""
    sent: int = 0
    total: int = 0
    note: str = ""


EventHandler = Callable[[Event], None]


#: The hint for an incomplete publication.
RUN_AGAIN = "run the same command again: it continues with the missing files"


class IncompletePublicationError(TwofoldError):
    """The publication is incomplete: what failed, what is uploaded and what is missing."""


def carry_out(
    plan: Plan, journal: Journal, retry_policy: RetryPolicy, report: EventHandler
) -> list[Step]:
    """Execute the plan, then fetch every file back and compare.

    Returns the steps that uploaded a file. Raises IncompletePublicationError at the first
    failure, with the uploaded and the missing files; a second run does the rest. An interruption
    or an OSError (a full disk) is raised as it is, after a `step` event with that account.
    """
    uploaded: list[Step] = []
    try:
        for step in plan.uploads:
            _upload(step, journal, retry_policy, report)
            uploaded.append(step)
        for step in plan.present:
            _verify(step, journal, retry_policy, report)
    except TwofoldError as error:
        raise _make_incomplete_error(error, plan, uploaded) from error
    except (OSError, KeyboardInterrupt):
        report(Event("step", note=f"interrupted: {_summarize(plan, uploaded)}; {RUN_AGAIN}"))
        raise
    return uploaded


def _upload(step: Step, journal: Journal, retry_policy: RetryPolicy, report: EventHandler) -> None:
    """Send one file; before each retry, check whether the previous attempt arrived."""
    artifact, settings = step.file.artifact, step.target.settings
    name, place = step.file.name, settings.name

    def progress(sent: int) -> None:
        report(Event("progress", place, name, min(sent, artifact.size), artifact.size))

    _require_unchanged(artifact)
    report(Event("uploading", place, name, 0, artifact.size))
    journal.record(settings.place, name, artifact.sha256, "sending")
    for attempt in range(retry_policy.attempts):
        try:
            step.target.send(step.file, progress)
            break
        except AlreadyPublishedError:
            if _is_ours(step, attempt):
                break
            raise
        except TransientError as error:
            if attempt + 1 == retry_policy.attempts:
                raise
            report(Event("retry", place, name, 0, artifact.size, str(error).partition("\n")[0]))
            retry_policy.pause(attempt, error.wait)
            if _has_arrived(step):
                break
        except Refused:
            if attempt == 0:
                journal.remove(settings.place, name)
            raise
    journal.record(settings.place, name, artifact.sha256, "sent")
    report(Event("uploaded", place, name, artifact.size, artifact.size))


def _require_unchanged(artifact: Artifact) -> None:
    """Raise BadFile if the file was rebuilt between the plan and the upload."""
    with artifact.path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    if digest != artifact.sha256:
        message = "it has changed since it was checked, and was not sent"
        raise BadFile(message, "run the command again", str(artifact.path))


def _has_arrived(step: Step) -> bool:
    """Whether the target has our file; other contents under its name are an error."""
    seen = step.target.probe(step.file)
    if seen.is_ours(step.file.artifact):
        return True
    if seen.state == "present" and seen.sha256 is not None:
        message, hint = describe_difference(step.file.artifact.sha256, seen.sha256)
        raise Refused("file-exists", message, hint, 409)
    return False


def _is_ours(step: Step, attempt: int) -> bool:
    """Whether a file name that is taken belongs to our own file.

    If the target cannot be queried, an earlier attempt of ours with an unknown end counts: it
    can only have sent this file.
    """
    if _has_arrived(step):
        return True
    seen = step.target.probe(step.file)
    return seen.state == "unknown" and attempt > 0


def _verify(step: Step, journal: Journal, retry_policy: RetryPolicy, report: EventHandler) -> None:
    """Fetch the file back as users get it, and compare its hash."""
    artifact, settings = step.file.artifact, step.target.settings
    if not settings.verify:
        note = "not verified, as configured (verify = false)"
        report(Event("unverified", settings.name, step.file.name, note=note))
        return
    found = RemoteState("absent")
    for attempt in range(retry_policy.attempts):
        found = step.target.fetch(step.file)
        if found.is_ours(artifact):
            journal.record(settings.place, step.file.name, artifact.sha256, "verified")
            report(Event("verified", settings.name, step.file.name, artifact.size, artifact.size))
            return
        if attempt + 1 < retry_policy.attempts:
            retry_policy.pause(attempt, None)
    if found.state != "present":
        raise Unreachable(
            f"{step.file.name} was sent to {settings.name} but cannot be fetched from there",
            "run the same command again in a while: uploaded files are not sent again",
        )
    raise Refused(
        "other-bytes",
        f"{settings.name} serves other contents for {step.file.name}: "
        f"sha256 {found.sha256}, ours is {artifact.sha256}",
        "do not use this release, and report it to the server's administrator",
    )


def _make_incomplete_error(
    error: TwofoldError, plan: Plan, uploaded: list[Step]
) -> IncompletePublicationError:
    """The error, with the uploaded and the missing files."""
    problem = error.problems[0]
    return IncompletePublicationError(
        f"{problem.message} ({_summarize(plan, uploaded)})", error.hint or RUN_AGAIN, problem.where
    )


def _summarize(plan: Plan, uploaded: list[Step]) -> str:
    there = [s for s in plan.steps if s.action is Action.NOTHING] + uploaded
    missing = [s for s in plan.uploads if s not in uploaded]
    account = [f"uploaded: {_list_steps(there) or 'none'}"]
    if missing:
        account.append(f"missing: {_list_steps(missing)}")
    return "; ".join(account)


def _list_steps(steps: list[Step]) -> str:
    return ", ".join(f"{s.file.name} -> {s.target.settings.name}" for s in steps)
