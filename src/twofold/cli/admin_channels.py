"""`twofold admin notice` and `twofold admin twins`: what a channel tells, and what it lacks."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import note, print_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.server.context import Registry


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add both to the sub-commands of `twofold admin`.

    Each sets `act`, called with the arguments and the registry; returns the exit code.
    """
    made = commands.add_parser("notice", help="messages that conda shows to a channel's users")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="show a message")
    adding.add_argument("channel")
    adding.add_argument("message", help="one line")
    adding.add_argument("--level", choices=("info", "warning", "critical"), default="info")
    adding.add_argument("--days", type=int, default=30, help="how long it is shown (default: 30)")
    _with_json(adding).set_defaults(act=_add)
    removing = verbs.add_parser("remove", help="show it no more")
    removing.add_argument("channel")
    removing.add_argument("id", help="as 'list' shows it")
    _with_json(removing).set_defaults(act=_remove)
    listing = verbs.add_parser("list", help="what is shown now")
    listing.add_argument("channel")
    _with_json(listing).set_defaults(act=_list)
    twins = commands.add_parser(
        "twins", help="make the conda packages that could not be made when wheels were uploaded"
    )
    twins.add_argument("channel")
    _with_json(twins).set_defaults(act=_convert_waiting)


def _with_json(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`--json` behind the sub-command too."""
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    return made


def _add(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    wording = notices.NoticeRequest(args.message, args.level, args.days)
    added = notices.add(registry, OPERATOR, args.channel, wording)
    if args.json:
        print_json(added.to_json)
    else:
        print(f"{added.id}  until {added.expires_at:%Y-%m-%d}  {added.level}: {added.message}")
    return 0


def _remove(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    notices.remove(registry, OPERATOR, args.channel, args.id)
    if args.json:
        print_json({"removed": args.id})
    return 0


def _list(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.model import View
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    found, _ = notices.list_active(registry, View(OPERATOR, args.channel))
    if args.json:
        print_json([one.to_json for one in found])
    else:
        for one in found:
            print(f"{one.id}  until {one.expires_at:%Y-%m-%d}  {one.level}: {one.message}")
    return 0


def _convert_waiting(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import conversion

    made, missing = conversion.reconvert_all(registry, args.channel)
    if args.json:
        print_json({"made": [file.basename for file in made], "missing": missing})
    else:
        for file in made:
            print(file.basename)
        note(f"{len(made)} made, {len(missing)} wheels have none")
    for reason in missing.values():
        note(f"none: {reason}")
    return 0
