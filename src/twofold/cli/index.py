"""`twofold index DIR`: a folder as a static index for pip and a channel for conda."""

from __future__ import annotations

from pathlib import Path

from twofold.cli.terminal import Parser, note, result

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from twofold.index.folder import Indexed


def parser() -> argparse.ArgumentParser:
    made = Parser(
        "index",
        "Write the pages that make a folder of packages a channel for conda (repodata, shards,\n"
        "run_exports, channeldata) and an index for pip (simple/). Files that did not change\n"
        "since the last time are not opened again.",
    ).with_json()
    made.add_argument("folder", metavar="DIR", type=Path, help="the folder that holds the packages")
    return made


def run(args: argparse.Namespace) -> int:
    from twofold.index.folder import index_folder

    done = index_folder(args.folder)
    for problem in done.problems:
        note(f"left out: {problem}")
    if args.json:
        result(as_json(done))
    else:
        gone = f", {done.gone} gone" if done.gone else ""
        print(f"{args.folder}: {done.files} files, {done.read} new{gone}")
    return 1 if done.problems else 0


def as_json(done: Indexed) -> dict[str, object]:
    return {
        "folder": str(done.folder),
        "files": done.files,
        "read": done.read,
        "gone": done.gone,
        "written": done.written,
        "left_out": [
            {"message": p.message, "hint": p.hint, "where": p.where} for p in done.problems
        ],
    }
