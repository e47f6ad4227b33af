"""`twofold admin`: administer a registry through its store, running or not."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import closing

from twofold.cli import admin_call, admin_doctor, admin_groups
from twofold.cli.admin_examples import format_examples
from twofold.cli.data_owner import become_owner
from twofold.cli.server_settings import STORE, add_options, read_settings
from twofold.cli.terminal import Parser
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twofold.server.settings import Settings

DESCRIPTION = """\
Administer a registry. Works on its store (the same --data, --database and --objects as
'twofold serve'), whether the server is running or not. Every change is in the audit log."""

#: The limit of options in days: datetime's calendar ends in the year 9999.
MOST_DAYS = 36_500


def _days(least: int) -> Callable[[str], int]:
    """Make an argparse type: a number of days, at least `least`."""

    def read(word: str) -> int:
        if not word.isascii() or not word.isdigit() or not least <= int(word) <= MOST_DAYS:
            raise argparse.ArgumentTypeError(
                f"{word!r} is not a number from {least} to {MOST_DAYS}"
            )
        return int(word)

    return read


#: Subcommand -> (help, arguments as (name, options)). What each does is in admin_actions.
COMMANDS: dict[str, tuple[str, list[tuple[str, dict[str, Any]]]]] = {
    "users": ("list users and organisations", []),
    "user": (
        "add a user (--organisation for an organisation)",
        [
            ("name", {}),
            ("--organisation", {"action": "store_true", "help": "it has members, but no login"}),
            ("--password", {"action": "store_true", "help": "read a password from stdin"}),
        ],
    ),
    "password": ("set a user's password, read from stdin", [("name", {})]),
    "disable": ("close a user's account", [("name", {})]),
    "member": (
        "set the role of a user in an organisation",
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
            ("--owner", {"default": "owner", "help": "its owner (default: %(default)s)"}),
            ("--private", {"action": "store_true", "help": "readable only with a role"}),
        ],
    ),
    "rule": (
        "set a rule of a channel: public yes|no, quota BYTES|none, deletion upload|admin|never, "
        "keep N|none (what 'retain' leaves of each project), keep-days N|none, "
        "keep-label-days LABEL=DAYS,...|none, keep-bytes SIZE|none, "
        "undelete-days N|none (how long deleted files can be restored), "
        "allowed-names NAME,...|none (may be begun although they look like another), "
        "base-url URL|none (where conda fetches packages), "
        "v3 yes|no (/CHANNEL/v3 lists wheels, for conda-pypi), "
        "redirect yes|no (readers of files are sent to the object store), "
        "lazy yes|no (/CHANNEL/lazy lists what nobody fetched, for pixi and rattler), "
        "images blocked|proxied (whether images of descriptions are shown), "
        "prefer conda-forge|own (whose packages /lazy lists of a name that both have), "
        "offered-releases N (how many of each project)",
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
        "create a token; it is shown once",
        [
            ("user", {}),
            (
                "--name",
                {
                    "default": "made by the operator",
                    "help": "its name in 'tokens' (default: %(default)s)",
                },
            ),
            ("--channel", {"help": "valid for this channel only"}),
            ("--project", {"help": "valid for uploads to this project only"}),
            (
                "--actions",
                {"default": "read,upload,admin", "help": "allowed actions (default: %(default)s)"},
            ),
            ("--days", {"type": _days(1), "help": "days until it expires (default: never)"}),
            (
                "--uploads-only",
                {"action": "store_true", "help": "no yank, deletion or label with it"},
            ),
        ],
    ),
    "tokens": ("list a user's tokens", [("user", {})]),
    "revoke": ("revoke a token by its prefix, as 'tokens' shows it", [("user", {}), ("token", {})]),
    "publisher": (
        "add a trusted publisher: CI runs that may publish a project",
        [
            ("channel", {}),
            ("project", {}),
            ("--issuer", {"required": True, "help": "https URL of the identity provider"}),
            (
                "--claim",
                {
                    "action": "append",
                    "default": [],
                    "metavar": "NAME=VALUE",
                    "help": "a required claim, such as repository=me/project (repeatable)",
                },
            ),
        ],
    ),
    "publishers": ("list trusted publishers", [("channel", {})]),
    "unpublisher": ("remove a trusted publisher", [("channel", {}), ("id", {"type": int})]),
    "yank": (
        "yank a release for pip and conda",
        [
            ("channel", {}),
            ("project", {}),
            ("version", {}),
            ("--reason", {"default": "", "help": "shown to users who install it"}),
        ],
    ),
    "unyank": ("undo a yank", [("channel", {}), ("project", {}), ("version", {})]),
    "delete": (
        "delete a release, or all files of a project; file names are never reused",
        [("channel", {}), ("project", {}), ("version", {"nargs": "?"})],
    ),
    "status": (
        "set a project's status (PEP 792)",
        [
            ("channel", {}),
            ("project", {}),
            ("status", {"help": "active, archived, quarantined or deprecated"}),
            ("--reason", {"default": "", "help": "shown with the status"}),
        ],
    ),
    "promote": (
        "copy a project's files to another channel or label, without copying blobs",
        [
            ("source", {"help": "CHANNEL or CHANNEL/LABEL"}),
            ("target", {"help": "CHANNEL or CHANNEL/LABEL"}),
            ("project", {"nargs": "?", "help": "(with --all: none)"}),
            ("version", {"nargs": "?"}),
            ("--all", {"action": "store_true", "help": "every project of the source"}),
            (
                "--with-dependencies",
                {"action": "store_true", "help": "and what it requires, where the target has none"},
            ),
            (
                "--dry-run",
                {"action": "store_true", "help": "make every check, and change nothing"},
            ),
        ],
    ),
    "undelete": (
        "restore deleted files whose bytes are still there (rule undelete-days)",
        [("channel", {}), ("project", {}), ("version", {"nargs": "?"})],
    ),
    "retain": (
        "delete old releases by a retention rule (--keep, or the channel's own)",
        [
            ("channel", {"nargs": "?", "help": "(default: all channels with a rule)"}),
            (
                "--keep",
                {
                    "type": int,
                    "help": "releases to keep of each project (default: the channel's rule)",
                },
            ),
            (
                "--days",
                {
                    "type": _days(0),
                    "help": "delete only releases older than this (keeps the newest)",
                },
            ),
            ("--label", {"default": "", "help": "only files under this label alone"}),
            (
                "--max-bytes",
                {"help": "delete the oldest releases until the channel has this size (20GiB)"},
            ),
            (
                "--dry-run",
                {"action": "store_true", "help": "print what would be deleted, delete nothing"},
            ),
        ],
    ),
    "log": (
        "print the audit log, oldest first",
        [
            ("--channel", {"help": "only changes of this channel"}),
            ("--actor", {"help": "only changes by this user"}),
            ("--action", {"help": "only this action: publish, yank, role, ..."}),
            ("--csv", {"action": "store_true", "help": "print CSV with a header"}),
        ],
    ),
    "verify": (
        "verify every object and page",
        [("--repair-from", {"metavar": "OBJECTS", "help": "another store with the same objects"})],
    ),
    "sweep": (
        "delete unreferenced objects",
        [
            (
                "--dry-run",
                {"action": "store_true", "help": "print what would be deleted, delete nothing"},
            )
        ],
    ),
    "move": (
        "move everything to another store, verifying every byte; resumable",
        [
            ("--to-database", {"required": True, "help": "as --database of serve"}),
            ("--to-objects", {"required": True, "help": "as --objects of serve"}),
            (
                "--replace",
                {"action": "store_true", "help": "delete what the target database holds"},
            ),
        ],
    ),
}


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold admin`."""
    made = Parser("admin", DESCRIPTION)
    add_options(made, STORE)
    made.with_json()
    commands = made.add_subparsers(dest="what", required=True, metavar="WHAT", parser_class=_Sub)
    for name, (text, arguments) in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        for argument, options in arguments:
            command.add_argument(argument, **options)
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    admin_groups.add_to(commands)
    admin_call.add_to(commands)
    admin_doctor.add_to(commands)
    _add_store_options(commands)
    for name, command in commands.choices.items():
        command.epilog = format_examples(name)
        command.formatter_class = argparse.RawDescriptionHelpFormatter
    return made


def _add_store_options(commands: argparse._SubParsersAction[Any]) -> None:
    """Let the store's options follow WHAT and VERB too; unset there, they override nothing."""
    for command in commands.choices.values():
        add_options(command, STORE, argparse.SUPPRESS)
        for action in command._actions:
            if isinstance(action, argparse._SubParsersAction):
                _add_store_options(action)


class _Sub(argparse.ArgumentParser):
    """Parsers of the subcommands of `admin`, with our error messages."""

    def error(self, message: str) -> Any:
        print(f"error: {message}\n  hint: run '{self.prog} --help'", file=sys.stderr)
        self.exit(2)


def run(args: argparse.Namespace) -> int:
    """Run `twofold admin`; returns the exit code."""
    from twofold.cli.admin_lists import LISTS, RowPrinter

    settings = read_settings(args)
    os.umask(0o077)  # as serve does
    become_owner(settings.data)
    if "doctor" in args:
        return int(args.doctor(args, settings))
    if args.what in LISTS:
        _check_registry(settings)
        return LISTS[args.what](settings, args, RowPrinter(args.json))
    from twofold.cli.admin_actions import ACTIONS
    from twofold.server.opening import open_registry

    _check_registry(settings)
    registry = open_registry(settings)
    with closing(registry.database):
        if "act" in args:
            return int(args.act(args, registry))
        return ACTIONS[args.what](registry, args, RowPrinter(args.json))


def _check_registry(settings: Settings) -> None:
    if not settings.database and not (settings.data / "registry.sqlite").exists():
        raise TwofoldError(
            f"there is no registry in {settings.data}", "pass the --data folder of 'twofold serve'"
        )
