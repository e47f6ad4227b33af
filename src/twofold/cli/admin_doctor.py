"""`twofold admin doctor`: look at a registry's surroundings and report what is wrong."""

from __future__ import annotations

import argparse
import os

from twofold.cli.server_settings import SERVING, VARIABLES, add_options
from twofold.cli.setting_values import find_unknown_variables
from twofold.cli.terminal import print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.server.settings import Settings

DESCRIPTION = """\
Check the folder, the database, the objects, the disk, the clock, TLS and the proxy of a registry.
Takes the options of 'twofold serve', or the same environment variables. Changes nothing, and exits
with 1 when something is wrong."""


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the sub-command; `doctor` is called with the arguments and the settings."""
    made = commands.add_parser(
        "doctor", help="check what the registry stands on", description=DESCRIPTION
    )
    add_options(made, SERVING, argparse.SUPPRESS)
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    made.set_defaults(doctor=run)


def run(args: argparse.Namespace, settings: Settings) -> int:
    """Print one line for each finding; returns the exit code."""
    from twofold.server.doctor import Finding, examine

    unknown = find_unknown_variables(os.environ, VARIABLES)
    findings = [
        Finding(
            "settings",
            "warning",
            f"{name} is no setting",
            f"write {meant}" if meant else "remove it: 'twofold serve --help' lists the settings",
        )
        for name, meant in unknown.items()
    ]
    findings += examine(settings)
    for found in findings:
        if args.json:
            print_json(
                {
                    "check": found.check,
                    "state": found.state,
                    "message": found.message,
                    "hint": found.hint,
                }
            )
        else:
            print(f"{found.state:7}  {found.check:9} {found.message}")
            if found.hint:
                print(f"{'':19}hint: {found.hint}")
    return 1 if any(found.state == "error" for found in findings) else 0
