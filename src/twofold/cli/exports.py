"""`twofold exports`: write and update the re-exports of `__init__.py`."""

from __future__ import annotations

import argparse
from pathlib import Path

from twofold.cli.shown_paths import shorten_path
from twofold.cli.terminal import Parser, note, print_json


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold exports`."""
    found = Parser(
        "exports",
        "Write and update the re-exports of a package's __init__.py: the names in each module's\n"
        "__all__, else its public definitions. Everything else in the file stays as it is.",
        "PATH is a package's folder or a project's; subpackages are kept too. Nothing is run.\n"
        "A package keeps the form it has (plain or lazy) unless --lazy or --no-lazy is given.",
    )
    found.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH")
    found.add_argument(
        "--check", action="store_true", help="write nothing; show the difference, exit code 1"
    )
    found.add_argument(
        "--lazy",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="load each module when one of its names is first used (PEP 562), with a stub",
    )
    return found.with_json()


def run(args: argparse.Namespace) -> int:
    """Run `twofold exports`; returns the exit code."""
    from twofold.exports import sync_exports

    kept = sync_exports(args.path, args.lazy, write=not args.check)
    for remark in kept.remarks:
        note(remark)
    if args.json:
        print_json(
            {
                "packages": {str(path): list(names) for path, names in kept.exports.items()},
                "changes": [{"path": str(c.path), "diff": c.diff} for c in kept.changes],
                "remarks": list(kept.remarks),
                "written": not args.check,
            }
        )
    elif args.check:
        print("".join(change.diff for change in kept.changes), end="")
    else:
        for change in kept.changes:
            verb = "removed" if change.after is None else "wrote"
            print(f"{verb} {shorten_path(change.path)}")
    if args.check and kept.changes:
        note("the exports are not up to date\n  hint: run 'twofold exports' without --check")
        return 1
    if not kept.changes:
        note(f"{len(kept.exports)} package(s) up to date")
    return 0
