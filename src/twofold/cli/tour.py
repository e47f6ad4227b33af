"""`twofold tour`: run all steps on this machine with real clients."""

from __future__ import annotations

import argparse
import shutil
import tempfile
import time
from pathlib import Path

from twofold.cli import terminal
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.tour.steps import Log


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold tour`."""
    made = terminal.Parser(
        "tour",
        "Run all steps on this machine: new, build, serve, publish, install with pip and "
        "with a conda client, import and call.",
    ).with_json()
    made.add_argument(
        "project", nargs="?", type=Path, help="an existing project (default: an example)"
    )
    made.add_argument(
        "--call",
        metavar="EXPRESSION",
        help="with PROJECT: the expression to print after importing it",
    )
    made.add_argument("--keep", action="store_true", help="keep the folders, and print their path")
    made.add_argument(
        "--no-conda-forge",
        action="store_true",
        help="do not use conda-forge: repack this python, convert the dependencies' wheels",
    )
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold tour`; returns the exit code."""
    from twofold.tour.steps import Log
    from twofold.tour.walk import Route, walk

    folder = Path(tempfile.mkdtemp(prefix="twofold-tour-")).resolve()
    log = Log(terminal.note if args.json else lambda text: print(text, flush=True))
    route = Route(folder, args.project, args.call, conda_forge=not args.no_conda_forge)
    start = time.perf_counter()
    failure = None
    try:
        walk(route, log)
    except TwofoldError as error:
        failure = error
    finally:
        if args.keep:
            terminal.note(f"kept: {folder}")
        else:
            shutil.rmtree(folder)
    seconds = time.perf_counter() - start
    if args.json:
        terminal.print_json(_as_json(log, seconds, failure, folder if args.keep else None))
    else:
        _print_tables(log, seconds)
    return terminal.show_error(failure) if failure else 0


def _print_tables(log: Log, seconds: float) -> None:
    print("\nsteps")
    for number, step in enumerate(log.steps, 1):
        share = step.seconds / seconds if seconds else 0.0
        state = "" if step.ok else "  FAILED"
        print(f"  {number:2}. {step.seconds:6.2f} s {share:4.0%}  {step.title}{state}")
    print(f"      {seconds:6.2f} s in all")
    if log.artifacts:
        print("\nfiles made")
        width = max(len(artifact.filename) for artifact in log.artifacts)
        for artifact in log.artifacts:
            name = artifact.filename.ljust(width)
            print(f"  {name}  {artifact.size:>10,} bytes  sha256 {artifact.sha256}")
    for remark in log.remarks:
        print(f"\nnote: {remark}")


def _as_json(
    log: Log, seconds: float, failure: TwofoldError | None, folder: Path | None
) -> dict[str, object]:
    return {
        "ok": failure is None,
        "seconds": round(seconds, 3),
        "steps": [
            {
                "title": step.title,
                "command": step.command,
                "seconds": round(step.seconds, 3),
                "ok": step.ok,
                "detail": step.detail,
            }
            for step in log.steps
        ],
        "artifacts": [
            {"filename": made.filename, "size": made.size, "sha256": made.sha256}
            for made in log.artifacts
        ],
        "remarks": log.remarks,
        "folder": folder,
    }
