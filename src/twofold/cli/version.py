"""`twofold version`: show a project's version, or set it wherever it is written."""

from __future__ import annotations

import argparse
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import ProjectErrors

EPILOG = """\
VERSION is 1.3.0, or what to raise: major, minor, patch, alpha, beta, rc, dev, post, stable. It is
written to pyproject.toml, __version__, setup.cfg, setup.py, recipes and the project's own entries
of uv.lock and pixi.lock; where git tags have the version, HEAD gets a tag. Nothing is committed.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold version`."""
    words = Parser("version", "Show the version of a project, or set it.", EPILOG).with_json()
    words.add_argument("version", nargs="?", default="", metavar="VERSION")
    words.add_argument("--dry-run", action="store_true", help="show the change, and make none")
    words.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold version`; returns the exit code."""
    root = args.project.absolute()
    return _set(root, args) if args.version else _show(root, as_json=args.json)


def _show(root: Path, *, as_json: bool) -> int:
    from twofold.publish.release.version import get_current_version, read_version

    found = read_version(root)
    version = get_current_version(root, found)
    if as_json:
        places = [place.path.relative_to(root).as_posix() for place in found.places]
        tags = found.tag_prefix
        print_json({"name": found.name, "version": version, "files": places, "tag_prefix": tags})
    else:
        print(f"{found.name} {version or '(no tag yet)'}")
    return 0


def _set(root: Path, args: argparse.Namespace) -> int:
    from twofold.publish.release import git
    from twofold.publish.release.version import plan_version, read_release_table

    planned = plan_version(root, args.version)
    conflict = git.find_tag_conflict(root, planned) if planned.is_from_tag else None
    if conflict is not None:
        raise ProjectErrors([conflict])
    makes_tag = planned.is_from_tag and not git.find_tag(root, planned.tag)
    if not args.dry_run:
        for change in planned.changes:
            change.apply()
        if makes_tag:
            signed = read_release_table(root).sign
            git.make_tag(root, planned.tag, planned.new, signed=signed)
    paths = [change.path for change in planned.changes]
    files = [path.relative_to(root) if path.is_relative_to(root) else path for path in paths]
    names = [file.as_posix() for file in files]
    tag = planned.tag if makes_tag else ""
    if args.json:
        print_json(
            {
                "name": planned.name,
                "old": planned.old,
                "version": planned.new,
                "files": names,
                "tag": tag,
                "dry_run": args.dry_run,
            }
        )
        return 0
    for name in [*names, *([f"tag {tag}"] if tag else [])]:
        note(f"{'would change' if args.dry_run else 'changed'}: {name}")
    if not names and not tag:
        note(f"nothing to change: {planned.name} is {planned.new} already")
    print(f"{planned.name} {planned.old or '(none)'} -> {planned.new}")
    return 0
