"""`twofold admin`: look after a registry, on its store, whether it is being served or not."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from twofold.cli import admin_groups
from twofold.cli.terminal import Parser
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DESCRIPTION = """\
Look after a registry. Works on its store (the same --data, --database and --objects as
'twofold serve'), whether it is being served or not. Every change is in the audit log."""

#: The longest time that is told in days: the calendar of datetime ends some day.
MOST_DAYS = 36_500


def _days(least: int) -> Callable[[str], int]:
    """An argparse type: a number of days from `least` on."""

    def read(word: str) -> int:
        if not word.isascii() or not word.isdigit() or not least <= int(word) <= MOST_DAYS:
            raise argparse.ArgumentTypeError(f"{word!r} is no number from {least} to {MOST_DAYS}")
        return int(word)

    return read


#: Subcommand -> (help, arguments as (name, options)). What each does is in admin_actions.
COMMANDS: dict[str, tuple[str, list[tuple[str, dict[str, Any]]]]] = {
    "users": ("list users and organisations", []),
    "user": (
        "add a user (--organisation for an organisation)",
        [
            ("name", {}),
            ("--organisation", {"action": "store_true", "help": "it has members, and no login"}),
            ("--password", {"action": "store_true", "help": "read a password from stdin"}),
        ],
    ),
    "password": ("set a user's password, read from stdin", [("name", {})]),
    "disable": ("close a user's account", [("name", {})]),
    "member": (
        "let a user act for an organisation",
        [
            ("organisation", {}),
            ("user", {}),
            ("role", {"choices": ["read", "upload", "admin", "none"]}),
        ],
    ),
    "channels": ("list channels, their sizes and roles", []),
    "channel": (
        "add a channel",
        [
            ("name", {}),
            ("--owner", {"default": "owner", "help": "whose it is; %(default)s unless said"}),
            ("--private", {"action": "store_true", "help": "only for those with a role"}),
        ],
    ),
    "rule": (
        "set a rule of a channel: public yes|no, quota BYTES|none, deletion upload|admin|never, "
        "keep N|none (what 'retain' leaves of each project), keep-days N|none, "
        "base-url URL|none (where conda fetches packages), v3 yes|no (list wheels for conda too)",
        [("channel", {}), ("rule", {}), ("value", {})],
    ),
    "role": (
        "give a user or organisation a role in a channel",
        [("channel", {}), ("user", {}), ("role", {"choices": ["read", "upload", "admin", "none"]})],
    ),
    "prefix": (
        "reserve names under a prefix (PEP 752) for a user; 'none' frees it",
        [("channel", {}), ("prefix", {}), ("user", {})],
    ),
    "token": (
        "make a token; it is shown once",
        [
            ("user", {}),
            ("--name", {"default": "made by the operator", "help": "what 'tokens' calls it"}),
            ("--channel", {"help": "good there only"}),
            ("--project", {"help": "uploads to this project only"}),
            ("--actions", {"default": "read,upload,admin", "help": "%(default)s unless said"}),
            ("--days", {"type": _days(1), "help": "how long it lives; for ever unless said"}),
        ],
    ),
    "tokens": ("list a user's tokens", [("user", {})]),
    "revoke": ("revoke a token by what 'tokens' shows of it", [("user", {}), ("token", {})]),
    "publisher": (
        "trust CI runs to publish a project",
        [
            ("channel", {}),
            ("project", {}),
            ("--issuer", {"required": True, "help": "https address of the identity provider"}),
            (
                "--claim",
                {
                    "action": "append",
                    "default": [],
                    "metavar": "NAME=VALUE",
                    "help": "what the identity must say: repository=me/project (once for each)",
                },
            ),
        ],
    ),
    "publishers": ("list trusted publishers", [("channel", {})]),
    "unpublisher": ("trust one no longer", [("channel", {}), ("id", {"type": int})]),
    "yank": (
        "yank a release in both worlds",
        [
            ("channel", {}),
            ("project", {}),
            ("version", {}),
            ("--reason", {"default": "", "help": "told to who installs it all the same"}),
        ],
    ),
    "unyank": ("take a yank back", [("channel", {}), ("project", {}), ("version", {})]),
    "delete": (
        "delete a release, or a project's every file; used names stay used",
        [("channel", {}), ("project", {}), ("version", {"nargs": "?"})],
    ),
    "status": (
        "set a project's status (PEP 792)",
        [
            ("channel", {}),
            ("project", {}),
            ("status", {"help": "active, archived, quarantined or deprecated"}),
            ("--reason", {"default": "", "help": "shown beside it"}),
        ],
    ),
    "promote": (
        "carry a project's files to another channel or label, without copying bytes",
        [
            ("source", {"help": "CHANNEL or CHANNEL/LABEL"}),
            ("target", {"help": "CHANNEL or CHANNEL/LABEL"}),
            ("project", {}),
            ("version", {"nargs": "?"}),
        ],
    ),
    "retain": (
        "delete old releases but for the newest of each project, by a rule given or the channel's",
        [
            ("channel", {"nargs": "?", "help": "all that have a rule, unless said"}),
            ("--keep", {"type": int, "help": "how many stay; the channel's rule unless said"}),
            ("--days", {"type": _days(0), "default": 0, "help": "only what is older"}),
            ("--dry-run", {"action": "store_true", "help": "only say what would go"}),
        ],
    ),
    "log": (
        "print the audit log, oldest first",
        [
            ("--channel", {"help": "only of this channel"}),
            ("--actor", {"help": "who changed"}),
            ("--action", {"help": "what was done: publish, yank, role, ..."}),
            ("--csv", {"action": "store_true", "help": "as a table with a head"}),
        ],
    ),
    "verify": (
        "read every object and page and say what is wrong",
        [("--repair-from", {"metavar": "OBJECTS", "help": "another store that holds them too"})],
    ),
    "sweep": (
        "remove objects that nothing needs",
        [("--dry-run", {"action": "store_true", "help": "only say what would go"})],
    ),
    "move": (
        "carry everything to another store, verifying every byte; go on where it was cut off",
        [
            ("--to-database", {"required": True, "help": "as --database of serve"}),
            ("--to-objects", {"required": True, "help": "as --objects of serve"}),
        ],
    ),
}


def parser() -> argparse.ArgumentParser:
    made = Parser("admin", DESCRIPTION)
    _store(made)
    made.with_json()
    commands = made.add_subparsers(dest="what", required=True, metavar="WHAT", parser_class=_Sub)
    for name, (text, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for argument, options in arguments:
            command.add_argument(argument, **options)
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    admin_groups.add_to(commands)
    for command in commands.choices.values():
        # Where the registry lies may be said after WHAT too; unsaid there, it overrides nothing.
        _store(command, data=argparse.SUPPRESS, other=argparse.SUPPRESS)
    return made


class _Sub(argparse.ArgumentParser):
    """The parsers of what stands behind `admin`: errors in the manner of the house."""

    def error(self, message: str) -> Any:
        print(f"error: {message}\n  hint: run '{self.prog} --help'", file=sys.stderr)
        self.exit(2)


def _store(
    made: argparse.ArgumentParser, data: Path | str = Path("twofold-data"), other: str = ""
) -> None:
    made.add_argument("--data", type=Path, default=data, help="as for serve")
    made.add_argument("--database", default=other, help="as for serve")
    made.add_argument("--objects", default=other, help="as for serve")


def run(args: argparse.Namespace) -> int:
    try:
        from twofold.cli.admin_actions import ACTIONS, RowPrinter
        from twofold.server.app import open_registry
        from twofold.server.settings import Settings
    except ModuleNotFoundError as error:
        raise TwofoldError(
            f"the registry needs {error.name}, which is not installed",
            "install it with: pip install 'twofold[server]'",
        ) from error
    settings = Settings(args.data.resolve(), args.database, args.objects)
    if not args.database and not (args.data / "registry.sqlite").exists():
        raise TwofoldError(
            f"there is no registry in {args.data}", "give the --data folder of 'twofold serve'"
        )
    registry = open_registry(settings)
    try:
        if "act" in args:
            return int(args.act(args, registry))
        return ACTIONS[args.what](registry, args, RowPrinter(args.json))
    finally:
        registry.database.close()
