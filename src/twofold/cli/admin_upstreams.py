"""`twofold admin upstream` and `twofold admin follow`: what channels stand in front of."""

from __future__ import annotations

import argparse
import sys

from twofold.cli.terminal import note, print_json
from twofold.errors import TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twofold.fetching.credentials import Credential, SecretReference
    from twofold.server.context import Registry
    from twofold.server.proxy.sync import SyncResult

    Act = Callable[[argparse.Namespace, Registry], int]


def add_to(commands: argparse._SubParsersAction[Any]) -> None:
    """Add both to the sub-commands of `twofold admin`.

    Each sets `act`, called with the arguments and the registry; returns the exit code.
    """
    _add_upstream(commands)
    made = commands.add_parser(
        "follow",
        help="bring projects and all they need from the channel's upstream, and keep them current",
    )
    made.add_argument("names", nargs="*", metavar="NAME", help="a requirement; none: all followed")
    made.add_argument("--channel", default="main", help="the channel (default: main)")
    made.add_argument("--python", metavar="X.Y", help="the Python they are for")
    made.add_argument(
        "--platform", help="the platform, as conda names it: linux-64, osx-arm64, ..."
    )
    _with_json(made).set_defaults(act=_sync)


def _add_upstream(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    made = commands.add_parser("upstream", help="what a channel stands in front of")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="put a channel in front of an index or a channel")
    adding.add_argument("channel")
    adding.add_argument("url", help="the index's simple pages, or the conda channel")
    adding.add_argument("--kind", choices=("pypi", "conda"), required=True)
    adding.add_argument(
        "--private-prefix",
        action="append",
        default=[],
        metavar="PREFIX",
        help="a name, or a beginning of names, that the upstream never answers for; repeatable",
    )
    adding.add_argument(
        "--user", metavar="NAME", help="the upstream asks for a login: its password is on stdin"
    )
    adding.add_argument(
        "--token", action="store_true", help="the upstream asks for a token: it is on stdin"
    )
    adding.add_argument(
        "--secret-from",
        metavar="PLACE",
        help="read that password or token where the server runs, each time it is sent, and keep "
        "it nowhere: env:NAME or file:PATH",
    )
    _with_json(adding).set_defaults(act=_add)
    removing = verbs.add_parser("remove", help="ask it no more; what was fetched stays")
    removing.add_argument("channel")
    removing.add_argument("--kind", choices=("pypi", "conda"), required=True)
    _with_json(removing).set_defaults(act=_remove)
    listing = verbs.add_parser("list", help="which channel stands in front of what")
    _with_json(listing).set_defaults(act=_list)


def _with_json(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """`--json` behind the sub-command too."""
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    return made


def _add(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.proxy import config

    prefixes = tuple(args.private_prefix)
    front = config.UpstreamConfig(args.url, args.kind, prefixes, _read_secret(args))
    added = config.add(registry, "operator", args.channel, front)
    where = " (an address that is not public)" if added.internal else ""
    where += " with a login" if added.secret else ""
    if args.json:
        told = {"url": added.url, "internal": added.internal, "login": bool(added.secret)}
        print_json({"channel": args.channel, **told})
    else:
        print(f"{args.channel} stands in front of {added.url}{where}")
    return 0


def _read_secret(args: argparse.Namespace) -> Credential | SecretReference | None:
    """The password or token on stdin, where one is told of: never on the command line; or where
    the server finds it.
    """
    if args.user and args.token:
        raise UsageError("--user and --token are two ways to log in", "give one of them")
    if not args.user and not args.token:
        if args.secret_from:
            raise UsageError("--secret-from what?", "give --user NAME for a password, or --token")
        return None
    from twofold.fetching import credentials

    if args.secret_from:
        return credentials.parse_reference(args.secret_from, args.user or "")
    note("password:" if args.user else "token:")
    word = sys.stdin.readline().rstrip("\r\n")
    if not word:
        raise UsageError("there is nothing on stdin", "give the password or token on one line")
    return credentials.from_cli(args.user or "", word)


def _remove(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.proxy import config

    config.remove(registry, "operator", args.channel, args.kind)
    return 0


def _list(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.fetching import credentials
    from twofold.server.proxy import config

    found = [
        {
            "channel": channel,
            "kind": one.kind,
            "url": one.url,
            "private": list(one.prefixes),
            "login": bool(one.secret),
            "secret_from": credentials.reference_location(one.secret),
        }
        for channel, one in config.list_all(registry)
    ]
    if args.json:
        print_json(found)
    else:
        for line in found:
            place = f"  (login from {line['secret_from']})" if line["secret_from"] else ""
            print(f"{line['channel']}  {line['kind']}  {line['url']}{place}")
    return 0


def _sync(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.proxy import sync
    from twofold.server.proxy.target_environment import TargetEnvironment
    from twofold.server.registry.administration import OPERATOR
    from twofold.server.resolver import find_resolver
    from twofold.server.settings import Settings

    resolve = find_resolver(registry, Settings(args.data.resolve(), args.database, args.objects))
    if resolve is None:
        note("uv is not installed: taking the newest releases that fit, project by project")
    if not args.names:
        done = sync.resync(registry, OPERATOR, args.channel, resolve)
    elif args.python and args.platform:
        target = TargetEnvironment(args.python, args.platform)
        wanted = (args.channel, args.names, target)
        done = sync.sync_projects(registry, OPERATOR, *wanted, resolve)
    else:
        raise TwofoldError(
            "a closure is for a Python and a platform",
            "say them: --python 3.12 --platform linux-64",
        )
    return _print_sync_result(args, done)


def _print_sync_result(args: argparse.Namespace, done: SyncResult) -> int:
    if args.json:
        print_json({"brought": done.fetched, "here": done.present, "missing": done.missing})
    else:
        for filename in done.fetched:
            print(filename)
        note(f"{len(done.fetched)} brought, {len(done.present)} were here")
    for reason in done.missing.values():
        note(f"missing: {reason}")
    return 1 if done.missing else 0
