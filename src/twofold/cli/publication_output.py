"""The output of a publication: findings, plan, progress and install commands."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from twofold.cli.terminal import format_size, get_width, is_coloured, note, print_wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TextIO

    from twofold.publish.first_release import NameReport
    from twofold.publish.order import Publication
    from twofold.publish.plan import Plan, Step
    from twofold.publish.run import Event, EventHandler
    from twofold.publish.targets.protocol import Target


def show_plan(publication: Publication, as_json: bool, is_dry_run: bool) -> None:
    """Print findings and plan; as events with `--json`, whose dry run has them in its result.

    A refusal is printed once: of a publication that is refused, the error that follows has it.
    """
    if as_json:
        if not is_dry_run:
            report_plan(publication.plan)
        return
    is_refused = not is_dry_run and publication.is_refused
    _print_findings(publication, with_errors=not is_refused)
    for line in _list_mixed_versions(publication):
        note(line)
    if not is_refused:
        print_plan(publication.plan, sys.stdout if is_dry_run else sys.stderr)


def _list_mixed_versions(publication: Publication) -> list[str]:
    """A note for each project of which several versions are uploaded: dist/ keeps older files."""
    versions: dict[str, dict[str, None]] = {}
    for step in publication.plan.uploads:
        artifact = step.file.artifact
        versions.setdefault(artifact.name, {})[artifact.version] = None
    return [
        f"note: several versions of {name}: {', '.join(found)}"
        for name, found in versions.items()
        if len(found) > 1
    ]


def _print_findings(publication: Publication, *, with_errors: bool) -> None:
    for finding in publication.findings:
        if finding.is_error and not with_errors:
            continue
        hint = f"\n  hint: {finding.hint}" if finding.hint else ""
        note(f"{finding.severity}: {finding.where}: {finding.message} ({finding.code}){hint}")


def print_plan(plan: Plan, stream: TextIO) -> None:
    """Print the plan: where to, as whom and how much, then each file with its action.

    Targets with the same steps share their lines. Lines are wrapped to a terminal's width.
    """
    if stream is sys.stderr and os.environ.get("TWOFOLD_QUIET"):
        return
    for targets, steps in _group_steps(plan):
        for target in targets:
            print_wrapped(_describe_target(target), stream, indent="  ")
        uploads = [step for step in steps if step.action == "upload"]
        amount = describe_amount(uploads) if uploads else "nothing"
        if uploads and len(uploads) < len(steps):
            amount += f" of {describe_amount(steps)}"
        print_wrapped(f"  {amount} to send:", stream, indent="  ")
        for step in steps:
            size = format_size(step.file.artifact.size)
            line = f"  {step.action.value:8} {step.file.name}, {size}: {step.reason}"
            # A narrow terminal has room for a wheel's name on a line of its own.
            print_wrapped(line, stream, indent=" " * (11 if get_width(stream) >= 60 else 4))


def _group_steps(plan: Plan) -> list[tuple[list[Target], list[Step]]]:
    """The targets with the same files, actions and reasons, and the steps of the first of them."""
    by_target: dict[int, list[Step]] = {}
    for step in plan.steps:
        by_target.setdefault(id(step.target), []).append(step)
    groups: dict[tuple[object, ...], tuple[list[Target], list[Step]]] = {}
    for steps in by_target.values():
        key = tuple((step.file.name, step.action, step.reason) for step in steps)
        groups.setdefault(key, ([], steps))[0].append(steps[0].target)
    return list(groups.values())


def _describe_target(target: Target) -> str:
    """Where files are sent to, and as whom."""
    settings = target.settings
    place = settings.place
    named = "" if settings.name == place else f" ({place})"
    return f"to {settings.name}{named}, {target.account}"


def describe_amount(steps: Sequence[Step]) -> str:
    """The number of files and their size together."""
    files = "1 file" if len(steps) == 1 else f"{len(steps)} files"
    return f"{files} ({format_size(sum(step.file.artifact.size for step in steps))})"


def print_name_reports(
    reports: Sequence[NameReport], root: Path, say: Callable[[str], None], *, is_first: bool = True
) -> None:
    """Print whether names are free, and for a new one at PyPI how to publish from CI."""
    for report in reports:
        for line in report.describe(is_first=is_first):
            say(f"note: {line}")
        if report.is_new and report.service:
            from twofold.publish.first_release import list_publisher_steps

            for line in list_publisher_steps(root, report.name, report.service, report.target):
                say(line)


def list_install_commands(publication: Publication) -> list[str]:
    """How users install what is at the targets now, one line for each project and target."""
    from twofold.publish.targets.install_urls import find_install_urls

    lines: dict[str, None] = {}
    for step in publication.plan.present:
        settings, artifact = step.target.settings, step.file.artifact
        urls = find_install_urls(settings, lambda _: False)
        wanted = f"{artifact.name}=={artifact.version}"
        if settings.kind in ("registry", "folder"):
            into = "--conda" if artifact.kind.is_conda else "--venv"
            lines[f"install: twofold install {wanted} --from {urls.channel} {into} DIR"] = None
        elif artifact.kind.is_conda and urls.channel:
            lines[f"install: conda install -c {urls.channel} {wanted}"] = None
        elif not artifact.kind.is_conda and settings.kind == "pypi":
            lines[f"install: pip install {wanted}"] = None
        elif not artifact.kind.is_conda and urls.index:
            lines[f"install: pip install --index-url {urls.index} {wanted}"] = None
    return list(lines)


def make_event_handler(as_json: bool) -> EventHandler:
    """The event handler: JSON lines, or text with progress bars on a terminal."""
    return _print_json_event if as_json else _ProgressLines()


def make_step_handler(as_json: bool) -> Callable[[str], None]:
    """The handler of messages that are not uploads: plain lines, or JSON events."""
    from twofold.publish.run import Event

    return (lambda text: _print_json_event(Event("step", note=text))) if as_json else note


def report_plan(plan: Plan) -> None:
    """Print the plan as events, one per file and target."""
    from twofold.publish.run import Event

    for step in plan.steps:
        what = f"{step.action.value}: {step.reason}"
        size = step.file.artifact.size
        place = step.target.settings.name
        _print_json_event(Event("planned", place, step.file.name, total=size, note=what))


def _print_json_event(event: Event) -> None:
    """Print an event as a JSON line on stderr; stdout has the result only."""
    from dataclasses import asdict

    print(json.dumps(asdict(event), ensure_ascii=False), file=sys.stderr, flush=True)


class _ProgressLines:
    """Plain lines on stderr, and a progress bar on a terminal."""

    def __init__(self) -> None:
        self.live = is_coloured(sys.stderr) or sys.stderr.isatty()

    def __call__(self, event: Event) -> None:
        place = f"{event.file} -> {event.target}"
        if event.event == "progress":
            if self.live and event.total:
                share = 100 * event.sent // event.total
                line = f"  {share:3d} % of {format_size(event.total)}  {place}"
                print(f"\r{line[: get_width(sys.stderr) - 1]}", end="", file=sys.stderr, flush=True)
            return
        if self.live and event.event in ("uploaded", "retry"):
            print("\r\x1b[K", end="", file=sys.stderr)
        words = {
            "uploading": f"uploading {place}",
            "uploaded": f"uploaded  {place}",
            "verified": f"verified  {place}: checksum matches",
            "unverified": f"unverified {place}: {event.note}",
            "retry": f"retrying  {place}: {event.note}",
            "planned": f"planned   {place}: {event.note}",
            "step": event.note,
        }
        note(words[event.event])
