"""`twofold admin upstream`, `follow`, `notice` and `twins`: nested subcommands."""

from __future__ import annotations

import argparse

from twofold.cli.admin_imports import add_import_parser
from twofold.cli.admin_offers import add_approve_parser, add_offer_parser, print_sync_result
from twofold.cli.admin_upstreams import add_upstream_parser, with_json
from twofold.cli.server_settings import read_settings
from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twofold.server.context import Registry

    Act = Callable[[argparse.Namespace, Registry], int]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add these to the sub-commands of `twofold admin`.

    Each sets `act`, called with the arguments and the registry; returns the exit code.
    """
    add_upstream_parser(commands)
    add_import_parser(commands)
    _add_follow_parser(commands)
    add_offer_parser(commands)
    add_approve_parser(commands)
    _add_notice_parser(commands)
    _add_reconvert_parser(commands)


def _add_follow_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    made = commands.add_parser(
        "follow",
        help="mirror projects and their dependencies from the channel's upstream, and update them",
    )
    made.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help="a requirement (default: update all mirrored projects)",
    )
    made.add_argument("--channel", default="main", help="the channel (default: main)")
    made.add_argument("--python", metavar="X.Y", help="the Python to resolve for")
    made.add_argument(
        "--platform",
        help="the platform to resolve for, as conda names it: linux-64, osx-arm64, ...",
    )
    with_json(made).set_defaults(act=_sync)


def _add_notice_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    made = commands.add_parser("notice", help="messages that conda shows to users of a channel")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="show a message")
    adding.add_argument("channel")
    adding.add_argument("message", help="one line")
    adding.add_argument("--level", choices=("info", "warning", "critical"), default="info")
    adding.add_argument("--days", type=int, default=30, help="how long it is shown (default: 30)")
    with_json(adding).set_defaults(act=_add_notice)
    removing = verbs.add_parser("remove", help="remove a message")
    removing.add_argument("channel")
    removing.add_argument("id", help="its id, as 'list' shows it")
    with_json(removing).set_defaults(act=_remove_notice)
    listing = verbs.add_parser("list", help="list the current messages")
    listing.add_argument("channel")
    with_json(listing).set_defaults(act=_list_notices)


def _add_reconvert_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    twins = commands.add_parser(
        "twins", help="convert wheels that could not be converted when they were uploaded"
    )
    twins.add_argument("channel")
    with_json(twins).set_defaults(act=_convert_waiting)


def _sync(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.names.platforms import Target
    from twofold.server.proxy import sync
    from twofold.server.registry.administration import OPERATOR
    from twofold.server.resolver import find_resolver

    resolve = find_resolver(registry, read_settings(args))
    if resolve is None:
        note("uv is not installed: taking the newest releases that fit, project by project")
    if not args.names:
        done = sync.resync(registry, OPERATOR, args.channel, resolve)
    elif args.python and args.platform:
        target = Target.parse(args.python, args.platform)
        wanted = (args.channel, args.names, target)
        done = sync.sync_projects(registry, OPERATOR, *wanted, resolve)
    else:
        raise TwofoldError(
            "resolving dependencies requires a Python and a platform",
            "pass them: --python 3.12 --platform linux-64",
        )
    return print_sync_result(args, done)


def _add_notice(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    wording = notices.NoticeRequest(args.message, args.level, args.days)
    added = notices.add(registry, OPERATOR, args.channel, wording)
    if args.json:
        print_json(added.to_json)
    else:
        print_text(f"{added.id}  until {added.expires_at:%Y-%m-%d}  {added.level}: {added.message}")
    return 0


def _remove_notice(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    notices.remove(registry, OPERATOR, args.channel, args.id)
    if args.json:
        print_json({"removed": args.id})
    return 0


def _list_notices(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.model import View
    from twofold.server.registry import notices
    from twofold.server.registry.administration import OPERATOR

    found, _ = notices.list_active(registry, View(OPERATOR, args.channel))
    if args.json:
        print_json([one.to_json for one in found])
    else:
        for one in found:
            print_text(f"{one.id}  until {one.expires_at:%Y-%m-%d}  {one.level}: {one.message}")
    return 0


def _convert_waiting(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import conversion

    made, missing = conversion.reconvert_all(registry, args.channel)
    if args.json:
        print_json({"made": [file.basename for file in made], "missing": missing})
    else:
        for file in made:
            print_text(file.basename)
        note(f"{len(made)} converted, {len(missing)} wheels could not be converted")
    for reason in missing.values():
        note(f"not converted: {reason}")
    return 0
