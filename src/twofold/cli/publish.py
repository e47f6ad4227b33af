"""`twofold publish`: upload a release to indexes, registries and channels."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twofold.cli.publication_output import (
    describe_amount,
    list_install_commands,
    make_event_handler,
    make_step_handler,
    print_name_reports,
    show_plan,
)
from twofold.cli.terminal import Parser, expand_files, note, print_json
from twofold.errors import Cancelled, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.install.smoke_test import SmokeResult
    from twofold.publish.first_release import NameReport
    from twofold.publish.order import Publication
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
        "--attestations",
        action="store_true",
        help="in CI: make the attestations that are missing beside the files, and send them",
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
        attests=args.attestations,
    )
    asks = can_ask(args.json)
    if not (args.dry_run or args.yes or asks):
        require_consent(choose_targets(order))
    with prepare(order) as publication:
        show_plan(publication, args.json, args.dry_run)
        if not args.files:
            _note_unnamed_files(publication)
        if not args.dry_run:
            publication.require_accepted()
        print_name_reports(
            _report_pypi_names(publication), args.project, make_step_handler(args.json)
        )
        if args.dry_run:
            return _dry_run_result(publication, args.json)
        if asks and not args.yes and not confirm(publication):
            raise Cancelled("cancelled: nothing was uploaded")
        return _carry_out(publication, args)


def _note_unnamed_files(publication: Publication) -> None:
    from twofold.publish.files import find_unnamed_files

    for path in find_unnamed_files(publication.files):
        note(
            f"note: {path.name} is of the same release, and not of the last build: "
            "to publish it too, name the files, such as dist/*"
        )


def _report_pypi_names(publication: Publication) -> list[NameReport]:
    """Report on names that are new at PyPI: similar names, and the first steps."""
    wanted = {s.file.artifact.name: s.target for s in publication.plan.steps if s.is_for_pypi}
    if not wanted:
        return []
    from twofold.publish.first_release import report_name

    reports = [report_name(target, name) for name, target in wanted.items()]
    return [report for report in reports if report and report.is_new]


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
        for line in list_install_commands(publication):
            note(line)
    return print_results(trials, as_json=False) if not as_json else _get_exit_code(trials)


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
    places = ", ".join(dict.fromkeys(step.target.settings.name for step in uploads))
    question = f"upload {describe_amount(uploads)} to {places}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
