"""`twofold workspace`: run a command for the packages of one repository, in their order."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.publish.release.workspace import Member

#: The commands that work on one project.
OF_A_PROJECT = (
    "build",
    "check",
    "deps",
    "exports",
    "publish",
    "release",
    "status",
    "try",
    "version",
)

EPILOG = """\
The packages are the members of [tool.twofold.workspace] in pyproject.toml, here or in a folder
above. Without a COMMAND they are listed; with one it runs in the folder of each, in the order of
their dependencies, and the first that fails stops the rest.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold workspace`."""
    words = Parser("workspace", "Run a command for each package of a repository.", EPILOG)
    words = words.with_json()
    words.add_argument(
        "--package", action="append", default=[], metavar="NAME", help="only this one; repeatable"
    )
    words.add_argument(
        "--changed", action="store_true", help="only those that changed since their last tag"
    )
    words.add_argument(
        "--raise-requirements",
        action="store_true",
        help="with version: raise what the other packages require of each",
    )
    words.add_argument("command", nargs="?", default="", metavar="COMMAND")
    words.add_argument("words", nargs=argparse.REMAINDER, metavar="ARGUMENTS")
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold workspace`; returns the exit code."""
    from twofold.publish.release.workspace import find_workspace, read_members, select_members

    if args.command and args.command not in OF_A_PROJECT:
        hint = f"name one of: {', '.join(OF_A_PROJECT)}"
        raise UsageError(f"'{args.command}' is no command for each package", hint)
    if args.raise_requirements and args.command != "version":
        raise UsageError(
            "--raise-requirements is for version", "remove it, or set the version first"
        )
    root = find_workspace(Path.cwd())
    if root is None:
        hint = 'write [tool.twofold.workspace] with members = ["packages/*"] in pyproject.toml'
        raise TwofoldError("this folder belongs to no workspace", hint)
    members = read_members(root, read_declared_of)
    chosen = select_members(members, args.package, changed=args.changed)
    if args.command:
        return _run_each(members, chosen, args)
    _list(members, chosen, root, as_json=args.json)
    return 0


def read_declared_of(folder: Path) -> list[tuple[str, bool]]:
    """What a project requires to run, and with its extras: requirement, whether of an extra."""
    from twofold.new.deps import read_declared

    declared = read_declared(folder).dependencies
    return [(one.requirement, one.is_extra) for one in declared if one.is_extra or not one.group]


def _list(
    members: Sequence[Member], chosen: Sequence[Member], root: Path, *, as_json: bool
) -> None:
    from twofold.publish.release.workspace import has_changed

    rows = [
        {
            "name": member.name,
            "version": member.version,
            "folder": member.folder.relative_to(root).as_posix(),
            "changed": has_changed(member, members),
        }
        for member in chosen
    ]
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark = "  changed since its last tag" if row["changed"] else ""
        print(f"{row['name']} {row['version']}  {row['folder']}{mark}")


def _run_each(members: Sequence[Member], chosen: Sequence[Member], args: argparse.Namespace) -> int:
    from twofold.cli import main
    from twofold.publish.release.version import read_version
    from twofold.publish.release.workspace import raise_requirements

    start = Path.cwd()
    try:
        for number, member in enumerate(chosen):
            note(f"{member.name}: twofold {' '.join([args.command, *args.words])}")
            os.chdir(member.folder)
            code = main([args.command, *args.words])
            if code != 0:
                rest = ", ".join(other.name for other in chosen[number + 1 :])
                note(f"stopped at {member.name}" + (f"; not done: {rest}" if rest else ""))
                return code
            version = read_version(member.folder).version if args.raise_requirements else ""
            if version and version != member.version:
                for file in raise_requirements(members, member, version):
                    note(f"changed: {os.path.relpath(file, start)}")
    finally:
        os.chdir(start)
    return 0
