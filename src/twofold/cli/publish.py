"""`twofold publish`: upload a release to indexes, registries and channels."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from twofold.cli.terminal import (
    Parser,
    expand_files,
    is_coloured,
    note,
    print_json,
    remove_controls,
)
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold.install.smoke_test import SmokeResult
    from twofold.publish.first_release import NameReport
    from twofold.publish.order import Publication
    from twofold.publish.plan import Plan
    from twofold.publish.run import Event, EventHandler
    from twofold.publish.targets.settings import TargetSettings

EPILOG = """\
TARGET is a name of your configuration (config.toml) or of ~/.pypirc (pypi, testpypi, ...),
anaconda:OWNER, the URL of a twofold registry's channel such as http://host/main,
KIND+https://... (legacy, anaconda, prefix, quetz, artifactory), a folder, or s3://BUCKET/PATH.

Without FILES, the files of this project's last build are published.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold publish`."""
    words = Parser("publish", "Upload a release: planned, checked, resumable.", EPILOG).with_json()
    words.add_argument("files", nargs="*", type=Path, metavar="FILES", help="built files")
    words.add_argument(
        "--to", action="append", default=[], metavar="TARGET", help="the target; repeatable"
    )
    words.add_argument("--dry-run", action="store_true", help="print the plan and send nothing")
    words.add_argument("--yes", "-y", action="store_true", help="do not ask before uploading")
    words.add_argument(
        "--try",
        dest="try_it",
        action="store_true",
        help="afterwards, install the release with pip and conda from where it was published",
    )
    words.add_argument(
        "--channel",
        action="append",
        default=[],
        metavar="CHANNEL",
        help="with --try: a conda channel for dependencies, before conda-forge; repeatable",
    )
    words.add_argument(
        "--only", action="store_true", help="with --try: no conda-forge after --channel"
    )
    words.add_argument(
        "--ignore", action="append", default=[], metavar="CODE", help="ignore a check (TF408)"
    )
    words.add_argument(
        "--skip-existing",
        action="store_true",
        help="leave a name alone that another build of the version has at the target",
    )
    words.add_argument(
        "--attempts",
        type=parse_attempts,
        default=5,
        metavar="N",
        help="attempts per request after network errors (default: 5)",
    )
    words.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )
    return words


def parse_attempts(text: str) -> int:
    """Parse the value of `--attempts`."""
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of attempts: pass 1 or more")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Run `twofold publish`; returns the exit code."""
    from twofold.cli.build import require_current
    from twofold.cli.channels import note_channels
    from twofold.cli.check import parse_codes
    from twofold.publish.order import Order, choose_targets, prepare
    from twofold.publish.responses import RetryPolicy

    for option, given in (("--channel", args.channel), ("--only", args.only)):
        if given and not args.try_it:
            raise UsageError(f"{option} is for --try", f"add --try, or remove {option}")
    if not args.files:
        require_current(str(args.project))
    patience = RetryPolicy(attempts=args.attempts)
    if not args.json:
        note_channels(args.to)
        warn_about_logins([*args.to, *args.channel])
    files = expand_files(args.files)
    order = Order(
        files,
        args.to,
        args.project,
        patience,
        parse_codes(args.ignore),
        skip_existing=args.skip_existing,
    )
    asks = can_ask(args.json)
    if not (args.dry_run or args.yes or asks):
        require_consent(choose_targets(order))
    with prepare(order) as publication:
        if not args.json:
            print_findings(publication)
            print_plan(publication.plan, sys.stdout if args.dry_run else sys.stderr)
        elif not args.dry_run:
            report_plan(publication.plan)
        print_name_reports(
            _report_pypi_names(publication), args.project, make_step_handler(args.json)
        )
        if args.dry_run:
            return _dry_run_result(publication, args.json)
        publication.require_accepted()
        if asks and not args.yes and not confirm(publication):
            note("cancelled: nothing was uploaded")
            return 1
        return _carry_out(publication, args)


def _report_pypi_names(publication: Publication) -> list[NameReport]:
    """Report on names that are new at PyPI: similar names, and the first steps."""
    from twofold.publish.first_release import report_name

    wanted = {s.file.artifact.name: s.target for s in publication.plan.steps if s.is_for_pypi}
    reports = [report_name(target, name) for name, target in wanted.items()]
    return [report for report in reports if report and report.is_new]


def print_name_reports(
    reports: Sequence[NameReport], root: Path, say: Callable[[str], None], *, is_first: bool = True
) -> None:
    """Print whether names are free, and for a new one at PyPI how to publish from CI."""
    from twofold.publish.first_release import list_publisher_steps

    for report in reports:
        for line in report.describe(is_first=is_first):
            say(f"note: {line}")
        if report.is_new and report.service:
            for line in list_publisher_steps(root, report.name, report.service, report.target):
                say(line)


def _carry_out(publication: Publication, args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from twofold.cli.channels import find_channels
    from twofold.cli.smoke_test import interrupt_on_sigterm, print_results, smoke_test_published

    as_json = args.json
    beside = [target.settings for target in publication.targets]
    channels = find_channels(args.channel, beside, only=args.only)
    trials: list[SmokeResult] = []
    with interrupt_on_sigterm():  # reports the uploaded files, and removes temporary files
        uploaded = publication.carry_out(make_event_handler(as_json))
        if args.try_it:
            trials = smoke_test_published(publication, channels, make_step_handler(as_json))
    if as_json:
        rows = [{**step.row, "uploaded": step in uploaded} for step in publication.plan.steps]
        tried = [{**asdict(trial), "worked": trial.worked} for trial in trials]
        print_json({"files": rows, "uploaded": len(uploaded), "tried": tried})
    else:
        present = len(publication.plan.present)
        print(f"published: {len(uploaded)} uploaded, {present - len(uploaded)} already there")
        for line in _list_install_commands(publication):
            note(line)
    return print_results(trials, as_json=False) if not as_json else _get_exit_code(trials)


def _list_install_commands(publication: Publication) -> list[str]:
    """How users install what is at the targets now, one line for each project and target."""
    from twofold.publish.targets.install_urls import find_install_urls

    lines: dict[str, None] = {}
    for step in publication.plan.present:
        settings, artifact = step.target.settings, step.file.artifact
        urls = find_install_urls(settings, lambda _: False)
        wanted = f"{artifact.name}=={artifact.version}"
        if settings.kind in ("registry", "folder"):
            lines[f"install: twofold install {wanted} --from {urls.channel} --venv DIR"] = None
        elif artifact.kind.is_conda and urls.channel:
            lines[f"install: conda install -c {urls.channel} {wanted}"] = None
        elif not artifact.kind.is_conda and settings.kind == "pypi":
            lines[f"install: pip install {wanted}"] = None
        elif not artifact.kind.is_conda and urls.index:
            lines[f"install: pip install --index-url {urls.index} {wanted}"] = None
    return list(lines)


def _get_exit_code(trials: list[SmokeResult]) -> int:
    return 0 if all(trial.worked for trial in trials) else 1


def _dry_run_result(publication: Publication, as_json: bool) -> int:
    plan, findings = publication.plan, publication.findings
    blocked = bool(plan.problems) or any(finding.is_error for finding in findings)
    if as_json:
        rows = [step.row for step in plan.steps]
        found = [finding.as_dict() for finding in findings]
        print_json({"files": rows, "findings": found, "dry_run": True})
        return int(blocked)
    for hint in dict.fromkeys(problem.hint for problem in plan.problems if problem.hint):
        note(f"  hint: {hint}")
    outcome = (
        "nothing would be uploaded (see above)"
        if blocked
        else f"{len(plan.uploads)} would be uploaded"
    )
    note(f"dry run: {outcome}")
    return int(blocked)


def print_findings(publication: Publication) -> None:
    """Print the findings of the checks on stderr."""
    for finding in publication.findings:
        hint = f"\n  hint: {finding.hint}" if finding.hint else ""
        note(f"{finding.severity}: {finding.where}: {finding.message} ({finding.code}){hint}")


def print_plan(plan: Plan, stream: object) -> None:
    """Print the plan as a table."""
    rows = [(s.target.settings.name, s.file.name, s.action.value, s.reason) for s in plan.steps]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    for row in rows:
        cells = [row[i].ljust(widths[i]) for i in range(3)]
        line = remove_controls("  ".join([*cells, row[3]]))
        print(line, file=stream)  # type: ignore[call-overload]


def warn_about_logins(words: Sequence[str]) -> None:
    """Warn: a password in a URL is visible in the process list and the shell history."""
    import re

    from twofold.publish.addresses import redact_url, split_login

    for word in words:
        if split_login(re.sub(r"^[a-z]+\+", "", word)).secret is not None:
            note(
                f"warning: other users can read the token in {redact_url(word)} in the process "
                "list\n  hint: store it with 'twofold login', or set TWOFOLD_TOKEN"
            )


def can_ask(as_json: bool) -> bool:
    """Whether a user at a terminal can be asked; never with `--json`."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty() and not as_json


def require_consent(targets: Sequence[TargetSettings]) -> None:
    """Raise UsageError for remote targets without a terminal or --yes."""
    from twofold.publish.targets.install_urls import is_local

    remote = [target.name for target in targets if not is_local(target)]
    if remote:
        raise UsageError(
            f"an upload to {', '.join(remote)} cannot be undone, "
            "and there is no terminal to confirm it",
            "add --yes, or print the plan with --dry-run",
        )


def confirm(publication: Publication) -> bool:
    """Ask for confirmation on the terminal, if there is anything to upload."""
    uploads = publication.plan.uploads
    if not uploads:
        return True
    print(f"upload {len(uploads)} file(s)? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


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
                bar = "#" * (share // 5)
                print(f"\r  {bar:20} {share:3d} % {place}", end="", file=sys.stderr, flush=True)
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
