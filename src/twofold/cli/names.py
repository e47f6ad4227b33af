"""`twofold names NAME`: a project's names on PyPI and in conda, and their source."""

from __future__ import annotations

from twofold.cli.terminal import Parser, print_json
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from twofold.names.explanation import NameExplanation


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold names`."""
    made = Parser(
        "names",
        "Show a project's name on PyPI, in conda channels and in imports, and the source of that\n"
        "information. Nothing is fetched.",
    ).with_json()
    made.add_argument("names", nargs="+", metavar="NAME", help="a PyPI, conda or import name")
    return made


def run(args: argparse.Namespace) -> int:
    """Run `twofold names`; returns the exit code."""
    from twofold.names import is_name
    from twofold.names.explanation import explain

    for name in args.names:
        if not is_name(name):
            raise UsageError(
                f"'{name}' is not a name", "names contain letters, digits, '-', '_' and '.'"
            )
    explained = [one for name in args.names for one in explain(name)]
    if args.json:
        print_json([one._asdict() for one in explained])
    else:
        print("\n".join(map(_format, explained)))
    return 0


def _format(one: NameExplanation) -> str:
    return (
        f"{one.asked}\n"
        f"  on PyPI   {one.pypi}\n"
        f"  in conda  {one.conda}\n"
        f"  import    {one.imported}\n"
        f"  because   {one.why}"
    )
