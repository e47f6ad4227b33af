"""`twofold convert WHEEL|NAME...`: convert wheels to conda packages in a channel folder."""

from __future__ import annotations

import re
import time
from pathlib import Path

from twofold.cli.terminal import Parser, expand_files, note, print_json
from twofold.errors import Problem, TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from twofold.artifact import Artifact
    from twofold.convert.batch import BatchRequest, BatchResult

#: The limit of printed notes.
_NOTES = 8


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold convert`."""
    made = Parser(
        "convert",
        "Convert wheels to conda packages in a channel folder, and index it. For a name, the\n"
        "wheel of that project is fetched with pip from your configured index.",
        "A wheel whose markers differ between platforms becomes a package for each; with\n"
        "--python or --platform, or when names are given, only the one for that target.",
    ).with_json()
    made.add_argument("sources", nargs="+", metavar="WHEEL|NAME", help="files, or requirements")
    made.add_argument("--out", type=Path, default=Path("conda-bld"), metavar="DIR")
    made.add_argument(
        "--with-deps", action="store_true", help="convert the dependencies of the names too"
    )
    made.add_argument("--python", default="", metavar="3.12", help="the Python to fetch for")
    made.add_argument(
        "--platform", default="", metavar="linux-64", help="the platform to fetch for"
    )
    made.add_argument(
        "--v3",
        action="store_true",
        help="write conditions and extras too, for clients of repodata revision 3",
    )
    made.add_argument("--release", action="store_true", help="maximum compression (slower)")
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold convert`; returns the exit code."""
    from twofold.convert.batch import convert_batch
    from twofold.index.folder import index_folder

    start = time.perf_counter()
    done = convert_batch(_request(args), args.out, note)
    problems = [*done.problems, *index_folder(args.out).problems]
    _print_notes(done)
    if args.json:
        print_json(_as_json(done, args.out, time.perf_counter() - start))
    else:
        _show(done)
    if problems:
        raise _combine_errors(problems)
    note(f"{args.out} is a channel: conda install -c {args.out.resolve().as_uri()} NAME")
    return 0


def _print_notes(done: BatchResult) -> None:
    """Print the first notes of the conversions; the JSON has all of them."""
    notes = [f"{made.wheel}: {note}" for made in done.wheels for note in made.notes]
    for line in notes[:_NOTES]:
        note(line)
    if len(notes) > _NOTES:
        note(f"... and {len(notes) - _NOTES} more such notes (--json has them)")


def _request(args: argparse.Namespace) -> BatchRequest:
    from twofold.convert.batch import BatchRequest
    from twofold.formats.conda_writer import SMALLEST_LEVEL
    from twofold.names.platforms import Target, to_wheel_platform_tags

    if args.python and not re.fullmatch(r"3\.\d+t?", args.python):
        raise UsageError(
            f"--python {args.python} is not a Python version", "write it as --python 3.12"
        )
    if args.platform:
        to_wheel_platform_tags(args.platform)  # raises for an unknown platform
    named = [source for source in args.sources if _is_file(source)]
    found = expand_files(named) if named else []
    wheels = tuple(path for path in found if path.suffix == ".whl" or str(path) in named)
    names = tuple(source for source in args.sources if not _is_file(source))
    for wheel in wheels:
        if not wheel.is_file():
            raise TwofoldError("there is no such file", "check the path", str(wheel))
    if args.with_deps and not names:
        raise UsageError("--with-deps needs a NAME", "wheel files are converted as they are")
    target = Target(args.python, args.platform)
    return BatchRequest(
        wheels, names, args.with_deps, target, SMALLEST_LEVEL if args.release else 0, args.v3
    )


def _is_file(source: str) -> bool:
    return source.endswith(".whl") or "/" in source or "\\" in source


def _show(done: BatchResult) -> None:
    packages = [(package, made) for made in done.wheels for package in made.packages]
    width = max((len(_name(package)) for package, _ in packages), default=0)
    for package, made in packages:
        was = "" if made.is_new else "  (there already)"
        print(f"{_name(package):<{width}}  {package.size:>12,} bytes{was}")


def _name(package: Artifact) -> str:
    return f"{package.subdir}/{package.filename}"


def _as_json(done: BatchResult, out: Path, seconds: float) -> dict[str, object]:
    return {
        "channel": str(out),
        "seconds": round(seconds, 3),
        "packages": [
            {
                "wheel": made.wheel,
                "file": f"{package.subdir}/{package.filename}",
                "name": package.name,
                "version": package.version,
                "build": package.build,
                "subdir": package.subdir,
                "depends": list(package.depends),
                "size": package.size,
                "sha256": package.sha256,
                "fresh": made.is_new,
            }
            for made in done.wheels
            for package in made.packages
        ],
        "notes": {made.wheel: list(made.notes) for made in done.wheels if made.notes},
        "unsaid": {made.wheel: list(made.dropped) for made in done.wheels if made.dropped},
        "problems": [
            {"message": p.message, "hint": p.hint, "where": p.where} for p in done.problems
        ],
    }


def _combine_errors(problems: list[Problem]) -> TwofoldError:
    error = TwofoldError(problems[0].message, problems[0].hint, problems[0].where)
    error.problems = tuple(problems)
    return error
