"""`twofold index DIR`: make a folder a static index for pip and a channel for conda."""

from __future__ import annotations

from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from typing import Any

    from twofold.errors import Problem
    from twofold.index.folder import IndexResult


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold index`."""
    made = Parser(
        "index",
        "Write the pages that make a folder of packages a channel for conda (repodata, shards,\n"
        "run_exports, channeldata) and an index for pip (simple/). Unchanged files are not read\n"
        "again.",
    ).with_json()
    made.add_argument("folder", metavar="DIR", type=Path, help="the folder with the packages")
    made.add_argument(
        "--v3",
        action="store_true",
        help="offer pure wheels to conda with conda-pypi, at DIR/v3 (repodata revision 3)",
    )
    made.add_argument(
        "--patches",
        type=Path,
        metavar="PATH",
        help="correct records: a folder or a conda package with SUBDIR/patch_instructions.json,\n"
        "or a Python file with _patch_repodata(repodata, subdir), as conda-index has them",
    )
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold index`; returns the exit code."""
    from twofold.index.folder import index_folder
    from twofold.index.patches import read_patches

    wheels, skipped = _find_wheel_records(args.folder) if args.v3 else (None, [])
    patches = read_patches(args.patches) if args.patches else None
    done = index_folder(args.folder, wheels=wheels, patches=patches)
    for remark in skipped:
        note(f"note: no record of revision 3: {remark}")
    for problem in done.problems:
        note(f"left out: {problem}")
    if args.json:
        print_json(as_json(done))
    else:
        gone = f", {done.removed} gone" if done.removed else ""
        print(f"{args.folder}: {done.files} files, {done.read} new{gone}")
    return 1 if done.problems else 0


def _find_wheel_records(
    folder: Path,
) -> tuple[dict[str, dict[str, dict[str, Any]]], list[Problem]]:
    """Records of the folder's pure wheels, by subdir, for clients that install wheels themselves.

    And the reasons why a wheel has none, each with its file: the others are offered all the same.
    """
    from twofold.convert.v3 import make_wheel_records
    from twofold.errors import BadFile, Problem, TwofoldError
    from twofold.formats.reader import read_artifact

    records: dict[str, dict[str, dict[str, Any]]] = {}
    skipped = []
    for path in sorted([*folder.glob("*-none-any.whl"), *folder.glob("*/*-none-any.whl")]):
        place = path.relative_to(folder).as_posix()
        try:
            artifact = read_artifact(path)
        except BadFile:
            continue  # the index skips it too, and reports the reason
        if "py3-none-any" not in artifact.tags:
            continue
        try:
            made = make_wheel_records(
                artifact, f"../../{place}", path.stat().st_mtime_ns // 1_000_000
            )
        except TwofoldError as error:
            skipped += [Problem(problem.message, "", place) for problem in error.problems]
        else:
            for subdir, (key, record) in made.items():
                records.setdefault(subdir, {})[key] = record
    if records:
        records.setdefault("noarch", {})  # every channel has it
    return records, skipped


def as_json(done: IndexResult) -> dict[str, object]:
    """Convert the result to the value of `--json`."""
    return {
        "folder": str(done.folder),
        "files": done.files,
        "read": done.read,
        "gone": done.removed,
        "written": done.written,
        "left_out": [
            {"message": p.message, "hint": p.hint, "where": p.where} for p in done.problems
        ],
    }
