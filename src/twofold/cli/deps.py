"""`twofold deps`: list imported, declared, missing and unused dependencies."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.new.deps import Dependency
    from twofold.source_analysis import InstalledDistributions


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold deps`."""
    found = Parser(
        "deps",
        "List what a project imports and what it declares: missing, unused, optional, used,\n"
        "each with its name on PyPI and in conda. Imports are read from the code, never run.",
        "Which distribution an import comes from is looked up in the active environment\n"
        "(VIRTUAL_ENV, CONDA_PREFIX, else the one that runs twofold), then in a table.",
    )
    found.add_argument("path", nargs="?", type=Path, default=Path(), metavar="PATH")
    found.add_argument("--env", type=Path, metavar="DIR", help="the environment to look in")
    found.add_argument(
        "--check", action="store_true", help="exit code 1 when something is missing or unused"
    )
    return found.with_json()


def choose_environment(folder: Path | None) -> InstalledDistributions:
    """The environment to look in: the named one, the active one, else twofold's own."""
    from twofold.errors import TwofoldError
    from twofold.source_analysis import InstalledDistributions

    active = os.environ.get("VIRTUAL_ENV") or os.environ.get("CONDA_PREFIX")
    if folder is None and not active:
        return InstalledDistributions.from_interpreter()
    prefix = folder or Path(str(active))
    if not prefix.is_dir():
        raise TwofoldError("there is no such environment", "check --env", str(prefix))
    return InstalledDistributions.from_prefix(prefix)


def run(args: argparse.Namespace) -> int:
    """Run `twofold deps`; returns the exit code."""
    from twofold.new.deps import (
        Status,
        read_conda_names,
        read_declared,
        read_dependencies,
        read_ignored,
    )

    declared, computed = read_declared(args.path)
    for key, where in computed.items():
        note(
            f"{where} computes its {key}: they are not known here; "
            "'twofold build' writes them into the wheel's METADATA, as Requires-Dist"
        )
    names = read_conda_names(args.path)
    environment = choose_environment(args.env)
    found = read_dependencies(args.path, declared, environment, names, read_ignored(args.path))
    if args.json:
        print_json({"dependencies": [_shown(one) for one in found]})
    else:
        _print(found)
    wrong = [one for one in found if one.status in (Status.MISSING, Status.UNUSED)]
    if computed:  # what is imported may be among them
        wrong = [one for one in wrong if one.status is Status.UNUSED]
    for one in wrong:
        tests = " by tests or notebooks" if one.is_test else ""
        if one.status is Status.MISSING:
            note(f"{one.name} is imported{tests} and not declared: {one.places[0]}")
        else:
            note(f"{one.name} is declared and imported nowhere")
    return 1 if args.check and wrong else 0


def _shown(one: Dependency) -> dict[str, object]:
    return {
        "status": one.status.value,
        "name": one.name,
        "conda": one.conda,
        "declared": [{"requirement": d.requirement, "group": d.group} for d in one.declared],
        "imports": list(one.imports),
        "places": list(one.places),
        "tests_only": one.is_test,
    }


def _print(found: list[Dependency]) -> None:
    rows = [("status", "PyPI", "conda", "declared", "imported")]
    for one in found:
        declared = ", ".join(
            f"{d.requirement} [{d.group}]" if d.group else d.requirement for d in one.declared
        )
        imported = ", ".join(
            f"{module} ({place})" for module, place in zip(one.imports, one.places, strict=True)
        )
        rows.append((one.status.value, one.name, one.conda, declared or "-", imported or "-"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        print("  ".join([*cells, row[4]]))
