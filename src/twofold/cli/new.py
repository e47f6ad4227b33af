"""`twofold new NAME`: start a project that builds at once."""

from __future__ import annotations

from pathlib import Path

from twofold.cli.terminal import Parser, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold new`."""
    made = Parser(
        "new",
        "Write a project that builds at once: pyproject.toml, README.md, LICENSE, .gitignore,\n"
        "tests, and a package with two modules. Asks no questions and does not use the network.",
    ).with_json()
    made.add_argument("name", help="the project's name, as in 'pip install NAME'")
    made.add_argument("--path", type=Path, metavar="DIR", help="the project's folder (./NAME)")
    made.add_argument("--layout", choices=("src", "flat"), default="src", help="where the code is")
    made.add_argument(
        "--dep", action="append", default=[], metavar="REQUIREMENT", help="a dependency; repeatable"
    )
    made.add_argument("--license", default="MIT", metavar="SPDX", help="the licence (MIT)")
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold new`; returns the exit code."""
    from datetime import UTC, datetime

    from twofold.new.files import NewProject
    from twofold.new.start import start_project

    folder = args.path if args.path is not None else Path(args.name)
    wish = NewProject(
        name=args.name,
        folder=folder,
        layout=args.layout,
        dependencies=tuple(args.dep),
        license=args.license,
        year=datetime.now(UTC).year,
    )
    made = start_project(wish)
    if args.json:
        print_json({"project": str(folder), "files": [str(path) for path in made]})
        return 0
    for path in made:
        print(path)
    print(f"\nnext: cd {folder} && twofold build")
    return 0
