"""`twofold status`, `yank`, `unyank`, `promote` and `delete`: published releases."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json, print_wrapped
from twofold.errors import Cancelled, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.publish.release_changes import ChangeStep, ReleaseChange, Verb
    from twofold.publish.targets.settings import TargetSettings

EPILOG = """\
RELEASE is NAME==VERSION, or VERSION alone for the project in this folder. Without --to, the targets
of [tool.twofold.publish] are changed. The plan is shown first; credentials are those of publish.
"""

#: PEP 792's statuses of a project.
STATUSES = ("active", "archived", "deprecated", "quarantined")


def _make_parser(verb: str, description: str, epilog: str = EPILOG) -> Parser:
    words = Parser(verb, description, epilog).with_json()
    words.set_defaults(verb=verb, reason="", file="", status="")
    words.add_argument("--project", type=Path, default=Path(), metavar="DIR")
    return words


def _add_targets(words: argparse.ArgumentParser) -> None:
    words.add_argument(
        "--to", action="append", default=[], metavar="TARGET", help="the target; repeatable"
    )


def _add_plan(words: argparse.ArgumentParser) -> None:
    words.add_argument("--dry-run", action="store_true", help="print the plan and change nothing")
    words.add_argument("--yes", "-y", action="store_true", help="do not ask before the change")


def yank_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold yank`."""
    words = _make_parser("yank", "Yank a release: installers pass over it unless it is pinned.")
    words.add_argument("release", metavar="RELEASE")
    words.add_argument("--reason", default="", metavar="TEXT", help="shown to those who install it")
    _add_targets(words)
    _add_plan(words)
    return words


def unyank_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold unyank`."""
    words = _make_parser("unyank", "Undo the yank of a release.")
    words.add_argument("release", metavar="RELEASE")
    _add_targets(words)
    _add_plan(words)
    return words


def delete_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold delete`."""
    words = _make_parser("delete", "Delete a release, or one file of it; this cannot be undone.")
    words.add_argument("release", metavar="RELEASE", help="NAME==VERSION, or NAME==* for all")
    words.add_argument("--file", default="", metavar="NAME", help="only this file of the release")
    _add_targets(words)
    _add_plan(words)
    return words


def promote_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold promote`."""
    words = _make_parser("promote", "Promote a release to another channel or label of a server.")
    words.add_argument("source", metavar="SOURCE", help="the target that has the release")
    words.add_argument("target", metavar="TARGET", help="the target that gets it")
    words.add_argument("release", nargs="?", default="", metavar="RELEASE", help="(default: here)")
    words.add_argument("--from-label", default="", metavar="LABEL", help="(default: main)")
    words.add_argument("--to-label", default="", metavar="LABEL", help="(default: main)")
    _add_plan(words)
    return words


def status_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold status`."""
    words = _make_parser("status", "Show a project's releases at its targets, or set its status.")
    words.add_argument("release", nargs="?", default="", metavar="RELEASE", help="or NAME alone")
    words.add_argument(
        "--set", dest="status", default="", choices=STATUSES, help="the new status (PEP 792)"
    )
    words.add_argument("--reason", default="", metavar="TEXT", help="with --set: why")
    _add_targets(words)
    _add_plan(words)
    return words


def run(args: argparse.Namespace) -> int:
    """Run one of the five commands; returns the exit code."""
    from twofold.cli.publish import can_ask, warn_about_logins
    from twofold.publish.order import Order, choose_targets
    from twofold.publish.release_changes import open_all, plan_changes
    from twofold.publish.responses import RetryPolicy

    words = [args.target] if args.verb == "promote" else args.to
    if not args.json:
        warn_about_logins(words)
    name, version = _parse_release(args)
    settings = choose_targets(Order(targets=words, project=args.project))
    if args.verb == "status" and not args.status:
        return _show_status(name, version, settings, args.json)
    change = _make_change(args, name, version, settings)
    asks = can_ask(args.json) and not args.yes and not args.dry_run
    if change.verb == "delete" and not (args.dry_run or args.yes or asks):
        _require_consent(settings)
    with open_all(settings, RetryPolicy()) as targets:
        return _change(plan_changes(change, targets), args, asks)


def _change(steps: Sequence[ChangeStep], args: argparse.Namespace, asks: bool) -> int:
    from twofold.publish.release_changes import carry_out_changes, require_possible

    if not args.json:
        for step in steps:
            row = step.row
            line = f"{row['target']}  {row['action']}  {step.change.subject}: {row['reason']}"
            print_wrapped(line, sys.stdout if args.dry_run else sys.stderr, "  ")
    require_possible(steps)
    if args.dry_run:
        if args.json:
            print_json({"steps": [step.row for step in steps], "changed": 0, "dry_run": True})
        else:
            note("dry run: nothing was changed")
        return 0
    planned = [step for step in steps if step.action == "change"]
    if asks and planned:
        _confirm(planned)
    made = carry_out_changes(steps, lambda step, text: note(f"{step.target.settings.name}: {text}"))
    if args.json:
        rows = [{**step.row, "changed": step in made} for step in steps]
        print_json({"steps": rows, "changed": len(made)})
    else:
        line = f"{args.verb}: {len(made)} changed, {len(steps) - len(made)} already so"
        print_wrapped(line, sys.stdout)
    return 0


def _parse_release(args: argparse.Namespace) -> tuple[str, str]:
    """Name and version of RELEASE; the project in the folder if it has no name."""
    from packaging.version import InvalidVersion, Version

    from twofold.names import is_name

    text = args.release.strip()
    name, separator, version = text.partition("==")
    if separator and not (name.strip() and version.strip()):
        raise UsageError(f"'{text}' is not a release", "write it as NAME==VERSION")
    if separator:
        if not is_name(name.strip()):
            raise UsageError(f"'{name.strip()}' is not a name", "write RELEASE as NAME==VERSION")
        if version.strip() == "*" and args.verb not in ("delete", "status"):
            raise UsageError(f"{args.verb} takes one version", f"write {name.strip()}==1.0.0")
        return name.strip(), "" if version.strip() == "*" else _check_version(version.strip())
    if not text:
        name, current = _read_project(args.project)
        return name, current if args.verb == "promote" else ""
    try:
        version = str(Version(text))
    except InvalidVersion:
        if args.verb == "status":
            return text, ""
        hint = f"write it as {text}==VERSION"
        raise UsageError(f"'{text}' names no version", hint) from None
    return _read_project(args.project)[0], version


def _check_version(text: str) -> str:
    """A version as its release has it: PEP 440's form, or a conda version as it is written."""
    from packaging.version import InvalidVersion, Version

    try:
        return str(Version(text))
    except InvalidVersion:
        return text


def _read_project(root: Path) -> tuple[str, str]:
    """Name and version of the project in a folder, of any backend."""
    from twofold.publish.release.version import get_current_version, read_version

    found = read_version(root.absolute())
    return found.name, get_current_version(root.absolute(), found)


def _make_change(
    args: argparse.Namespace, name: str, version: str, settings: Sequence[TargetSettings]
) -> ReleaseChange:
    from twofold.publish.release_changes import ReleaseChange
    from twofold.publish.resolve import resolve_targets
    from twofold.publish.targets.release_managers import Promotion

    verb: Verb = "set-status" if args.verb == "status" else args.verb
    change = ReleaseChange(verb, name, version, args.file, args.reason, args.status)
    if args.verb != "promote":
        return change
    (source,) = resolve_targets([args.source])
    (target,) = settings
    promotion = Promotion(
        source,
        args.from_label or next(iter(source.labels), "main"),
        args.to_label or next(iter(target.labels), "main"),
    )
    return replace(change, promotion=promotion)


def _show_status(name: str, version: str, settings: Sequence[TargetSettings], as_json: bool) -> int:
    from twofold.publish.release_changes import make_manager, open_all
    from twofold.publish.responses import RetryPolicy

    rows = []
    with open_all(settings, RetryPolicy()) as targets:
        for target in targets:
            published = make_manager(target).read(name)
            row: dict[str, object] = {
                "target": target.settings.name,
                "project": name,
                "status": published.status or "active",
                "reason": published.reason,
                "files": [
                    {"file": f.name, "version": f.version, "yanked": f.yanked, "labels": f.labels}
                    for f in published.list_files(version)
                ],
            }
            rows.append(row)
    if as_json:
        print_json(rows)
        return 0
    for row in rows:
        for line in _format_status(row):
            print_wrapped(line, sys.stdout, "    ")
    return 0


def _format_status(row: dict[str, object]) -> list[str]:
    """The lines of one target: its status, then each release with its files and yanks."""
    files = row["files"]
    assert isinstance(files, list)
    if not files:
        return [f"{row['target']}: nothing of {row['project']}"]
    why = f" ({row['reason']})" if row["reason"] else ""
    lines = [f"{row['target']}: {row['project']}, {row['status']}{why}"]
    for file in files:
        labels = [label for label in file["labels"] if label != "main"]
        notes = [f"label {label}" for label in labels]
        if file["yanked"] is not None:
            notes.append(f"yanked: {file['yanked']}" if file["yanked"] else "yanked")
        lines.append("  ".join(["", file["version"], file["file"], *notes]))
    return lines


def _require_consent(settings: Sequence[TargetSettings]) -> None:
    from twofold.publish.targets.install_urls import is_local

    remote = [target.name for target in settings if not is_local(target)]
    if remote:
        raise UsageError(
            f"a deletion at {', '.join(remote)} cannot be undone, "
            "and there is no terminal to confirm it",
            "add --yes, or print the plan with --dry-run",
        )


def _confirm(steps: Sequence[ChangeStep]) -> None:
    verb, places = steps[0].change.verb, ", ".join(s.target.settings.name for s in steps)
    question = f"{verb} {steps[0].change.subject} at {places}? [y/N] "
    print(question, end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip().lower() not in ("y", "yes"):
        raise Cancelled("cancelled: nothing was changed")
