"""`twofold release VERSION`: set the version, build, publish, commit and tag.

Until the first upload every step is undone if a later one fails; after it the same command
continues where it stopped.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twofold.cli.publish import parse_attempts
from twofold.cli.terminal import Parser, print_json, print_wrapped
from twofold.errors import Cancelled, Problem, ProjectErrors, TwofoldError, Unreachable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.publish.order import Publication
    from twofold.publish.release.steps import Rollback, Say
    from twofold.publish.release.version import ReleaseTable, VersionPlan
    from twofold.publish.run import Event

EPILOG = """\
Steps: check tag, working tree and changelog; set the version; build; check; show and confirm
the plan; publish; commit and tag, and push where asked. Hooks of [tool.twofold.release] run before
the build, before the upload and after the tag. An unreleased section of the changelog gets the
version and the date. Until the first upload every step is undone
if a later one fails. After an interruption, the same command does the rest.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold release`."""
    words = Parser("release", "Release a version of a project.", EPILOG).with_json()
    words.add_argument(
        "version", metavar="VERSION", help="1.2.0, or: patch, minor, major, rc, current, ..."
    )
    words.add_argument(
        "--to", action="append", default=[], metavar="TARGET", help="the target; repeatable"
    )
    words.add_argument("--project", type=Path, default=Path(), metavar="DIR")
    words.add_argument(
        "--dry-run", action="store_true", help="stop after the plan, and undo everything"
    )
    words.add_argument("--yes", "-y", action="store_true", help="do not ask before uploading")
    words.add_argument("--no-git", action="store_true", help="do not check git, commit or tag")
    words.add_argument("--push", action="store_true", help="push the commit and the tag")
    words.add_argument("--sign", action="store_true", help="sign the tag with your key")
    words.add_argument(
        "--attestations", action="store_true", help="in CI: make attestations, as for publish"
    )
    words.add_argument("--no-changelog", action="store_true", help="do not check the changelog")
    words.add_argument(
        "--attempts", type=parse_attempts, default=5, metavar="N", help="as for publish"
    )
    words.add_argument("--ignore", action="append", default=[], metavar="CODE")
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold release`; returns the exit code."""
    from datetime import date

    from twofold.cli.channels import note_channels
    from twofold.cli.check import parse_codes
    from twofold.cli.publication_output import make_step_handler
    from twofold.cli.publish import can_ask, require_consent, warn_about_logins
    from twofold.cli.smoke_test import interrupt_on_sigterm
    from twofold.publish.order import Order, choose_targets
    from twofold.publish.release import git
    from twofold.publish.release.steps import commit_and_tag, plan_changelog, run_hooks
    from twofold.publish.release.version import plan_version

    root = args.project.absolute()
    say = make_step_handler(args.json)
    if not args.json:
        note_channels(args.to)
        warn_about_logins(args.to)
    planned = plan_version(root, args.version)
    planned = planned if args.no_changelog else plan_changelog(root, planned, date.today())
    table = _read_table(root, args)
    if not (args.dry_run or args.yes or can_ask(args.json)):
        require_consent(choose_targets(Order(targets=args.to, project=root)))
    with_git = not args.no_git and git.is_repository(root)
    parse_codes(args.ignore)
    _require_ready(root, planned, with_git, args)
    if with_git and (unsigned := git.find_signing_problem(root, table.sign)):
        raise unsigned
    if with_git and table.push and (unpushed := git.find_push_problem(root, planned.tag)):
        raise unpushed
    _report_names(root, planned, args.to, say)
    with interrupt_on_sigterm():
        uploaded = _release(root, planned, table, say, args)
        if args.dry_run:
            return _print_result(root, planned, [], args)
        if with_git:
            commit_and_tag(root, planned, table, say)
        elif not args.no_git:
            say("not tagged: the project is not in a git repository")
        run_hooks(root, table, "after", planned, say)
    return _print_result(root, planned, uploaded, args)


def _read_table(root: Path, args: argparse.Namespace) -> ReleaseTable:
    """[tool.twofold.release] with the options of the command."""
    from dataclasses import replace

    from twofold.publish.release.version import read_release_table

    table = read_release_table(root)
    return replace(table, push=table.push or args.push, sign=table.sign or args.sign)


def _release(
    root: Path, planned: VersionPlan, table: ReleaseTable, say: Say, args: argparse.Namespace
) -> list[str]:
    """Set the version, build, publish; returns the uploaded names. Undone on failure."""
    from twofold.publish.release import git
    from twofold.publish.release.steps import Rollback, collect_fragments, run_hooks

    undo = Rollback(say)
    try:
        _set_version(root, planned, table.sign, undo, say)
        if not args.no_changelog:
            collect_fragments(root, planned, undo, say)
        run_hooks(root, table, "before-build", planned, say)
        files = _build(root, planned.new, undo, say)
        if not args.no_git and git.is_repository(root):
            _require_tracked(root, files, table.generated)
        run_hooks(root, table, "before-publish", planned, say)
        with _prepare(root, files, args) as publication:
            _show(publication, args.json)
            publication.require_accepted()
            if args.dry_run:
                undo.all()
                return []
            _confirm(publication, args)
            return _publish(publication, undo, args.json)
    except BaseException:
        undo.all()
        raise


def _require_ready(
    root: Path, planned: VersionPlan, with_git: bool, args: argparse.Namespace
) -> None:
    """Raise all problems that would stop the release, before anything is changed."""
    from twofold.publish.order import Order, choose_targets
    from twofold.publish.release.changelog import find_changelog, find_changelog_problem
    from twofold.publish.release.changelog_tool import find_changelog_tool
    from twofold.publish.release.git import find_git_problems

    problems, tool = [], find_changelog_tool(root)
    if with_git:
        settings = choose_targets(Order(targets=args.to, project=root))
        places = [Path(one.url).resolve() for one in settings if one.kind == "folder"]
        if tool is not None and not planned.changes:
            # After an interruption: what the changelog's tool has written is not committed yet.
            places += [path.resolve() for path in tool.list_files(planned.new)]
        problems = find_git_problems(root, planned, places)
    elif planned.is_from_tag:
        problems.append(Problem("the version comes from the git tag", "remove --no-git"))
    if not args.no_changelog and tool is None:
        changelog = find_changelog(root)
        after = next((c.after for c in planned.changes if c.path == changelog), None)
        missing = find_changelog_problem(root, planned.new, after)
        problems += [missing] if missing else []
    if problems:
        raise ProjectErrors(problems)


def _report_names(root: Path, planned: VersionPlan, words: list[str], say: Say) -> None:
    """Report whether the name is free at the targets, before anything is built."""
    from twofold.cli.publication_output import print_name_reports
    from twofold.publish.first_release import report_names
    from twofold.publish.order import Order, choose_targets
    from twofold.publish.release import git

    settings = choose_targets(Order(targets=words, project=root))
    prefix = planned.tag.removesuffix(planned.new)
    reports = report_names(settings, planned.name)
    print_name_reports(reports, root, say, is_first=not git.has_tags(root, prefix))


def _set_version(root: Path, planned: VersionPlan, signed: bool, undo: Rollback, say: Say) -> None:
    from twofold.publish.release import git

    for change in planned.changes:
        undo.add(f"version in {change.path.name}", change.revert)
        change.apply()
        say(f"version {planned.old} -> {planned.new} in {change.path.name}")
    if planned.is_from_tag and not git.find_tag(root, planned.tag):
        git.make_tag(root, planned.tag, planned.new, signed=signed)
        undo.add(f"tag {planned.tag}", lambda: git.remove_tag(root, planned.tag))


def _require_tracked(root: Path, files: list[Path], generated: Sequence[str]) -> None:
    """Raise TwofoldError if files are packed that git does not track: no commit would hold them."""
    from twofold.building.source_hashes import hash_sources
    from twofold.publish.release.git import find_unknown_files

    unknown = find_unknown_files(root, hash_sources(root, files), generated)
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        raise TwofoldError(
            f"git does not track files that were packed: {', '.join(unknown[:5])}{more}",
            "commit them, or leave them out of the build; files that the build makes are named in "
            "[tool.twofold.release] generated",
        )


def _build(root: Path, version: str, undo: Rollback, say: Say) -> list[Path]:
    """The files to publish: those of an interrupted publication of this version, else new ones."""
    from twofold.building import BuildRequest
    from twofold.building.rollback import take_snapshot
    from twofold.cli.build import build_path
    from twofold.publish.files import read_last_build
    from twofold.publish.journal import JOURNAL_NAME, Journal

    if (root / "dist" / JOURNAL_NAME).is_file():
        begun, journal = read_last_build(root), Journal(root / "dist" / JOURNAL_NAME)
        ours = all(f"-{version}-" in p.name or f"-{version}." in p.name for p in begun)
        if ours and any(journal.contains(path.name) for path in begun):
            say(f"continuing with the files of the earlier build: {len(begun)}")
            return begun
    undo.add("build", take_snapshot(root).restore)
    made = build_path(str(root), BuildRequest(report=say))
    for built in made.artifacts:
        say(f"built {Path(built.path).name}")
    files = [Path(built.path) for built in made.artifacts]
    _require_version(files, version)
    return files


def _require_version(files: list[Path], version: str) -> None:
    """Raise TwofoldError if a built file has another version; outputs of other names may."""
    from packaging.utils import canonicalize_name
    from packaging.version import Version

    from twofold.formats.reader import read_artifact

    built = [read_artifact(path) for path in files]
    names = {canonicalize_name(one.name) for one in built if not one.kind.is_conda}
    packages = {one.name for one in built if one.kind.is_conda}
    for one in built:
        is_own = canonicalize_name(one.name) in names or packages == {one.name}
        if is_own and one.version != version and _parse(one.version) != Version(version):
            raise TwofoldError(
                f"{one.filename} has version {one.version}, not {version}",
                "write the version in the recipe as it is in the project"
                if one.kind.is_conda
                else "twofold cannot change where the version is set: see tool.twofold.version",
            )


def _parse(version: str) -> object:
    """A version to compare with PEP 440's; conda's own forms are equal to none."""
    from packaging.version import InvalidVersion, Version

    try:
        return Version(version)
    except InvalidVersion:
        return None


def _prepare(root: Path, files: list[Path], args: argparse.Namespace) -> Publication:
    from twofold.cli.check import parse_codes
    from twofold.publish.order import Order, prepare
    from twofold.publish.responses import RetryPolicy

    patience = RetryPolicy(attempts=args.attempts)
    ignore = parse_codes(args.ignore)
    order = Order(files, args.to, root, patience, ignore, named=False, attests=args.attestations)
    return prepare(order)


def _show(publication: Publication, as_json: bool) -> None:
    from twofold.cli.publication_output import show_plan

    show_plan(publication, as_json, is_dry_run=False)


def _confirm(publication: Publication, args: argparse.Namespace) -> None:
    from twofold.cli.publish import can_ask, confirm

    if can_ask(args.json) and not args.yes and not confirm(publication):
        raise Cancelled("cancelled: nothing was uploaded")


def _publish(publication: Publication, undo: Rollback, as_json: bool) -> list[str]:
    """Execute the plan; after the first upload nothing is undone."""
    from twofold.cli.publication_output import make_event_handler
    from twofold.publish.run import IncompletePublicationError

    tell = make_event_handler(as_json)

    def listen(event: Event) -> None:
        if event.event == "uploaded":
            undo.keep()
        tell(event)

    try:
        return [step.file.name for step in publication.carry_out(listen)]
    except IncompletePublicationError as error:
        if isinstance(error.__cause__, Unreachable):
            undo.keep()  # the file may have arrived although the response did not
        raise
    except KeyboardInterrupt:
        undo.keep()
        raise


def _print_result(
    root: Path, planned: VersionPlan, uploaded: list[str], args: argparse.Namespace
) -> int:
    from twofold.publish.release.changelog import read_notes

    notes = "" if args.dry_run else read_notes(root, planned.new)
    if args.json:
        print_json(
            {
                "version": planned.new,
                "tag": planned.tag,
                "uploaded": uploaded,
                "dry_run": args.dry_run,
                "notes": notes,
            }
        )
    elif args.dry_run:
        print_wrapped(
            f"dry run passed: {planned.new} can be released; nothing was changed", sys.stdout
        )
    else:
        print_wrapped(f"released {planned.new}: {len(uploaded)} uploaded", sys.stdout)
    return 0
