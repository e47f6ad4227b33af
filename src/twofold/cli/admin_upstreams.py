"""`twofold admin upstream` and `twofold admin follow`: what channels stand in front of."""

from __future__ import annotations

import argparse
import sys

from twofold.cli.terminal import note, result
from twofold.errors import TwofoldError, UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from twofold.server.registry import Registry
    from twofold.server.registry.following import Followed
    from twofold.server.upstreams.secrets import Elsewhere, Secret

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
    _with_json(made).set_defaults(act=_follow)


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
    from twofold.server.registry import upstreaming

    prefixes = tuple(args.private_prefix)
    front = upstreaming.Front(args.url, args.kind, prefixes, _secret(args))
    added = upstreaming.add(registry, "operator", args.channel, front)
    where = " (an address that is not public)" if added.internal else ""
    where += " with a login" if added.secret else ""
    if args.json:
        told = {"url": added.url, "internal": added.internal, "login": bool(added.secret)}
        result({"channel": args.channel, **told})
    else:
        print(f"{args.channel} stands in front of {added.url}{where}")
    return 0


def _secret(args: argparse.Namespace) -> Secret | Elsewhere | None:
    """The password or token on stdin, where one is told of: never on the command line; or where
    the server finds it.
    """
    if args.user and args.token:
        raise UsageError("--user and --token are two ways to log in", "give one of them")
    if not args.user and not args.token:
        if args.secret_from:
            raise UsageError("--secret-from what?", "give --user NAME for a password, or --token")
        return None
    from twofold.server.upstreams import secrets

    if args.secret_from:
        return secrets.elsewhere(args.secret_from, args.user or "")
    note("password:" if args.user else "token:")
    word = sys.stdin.readline().rstrip("\r\n")
    if not word:
        raise UsageError("there is nothing on stdin", "give the password or token on one line")
    return secrets.of_words(args.user or "", word)


def _remove(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import upstreaming

    upstreaming.remove(registry, "operator", args.channel, args.kind)
    return 0


def _list(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import upstreaming
    from twofold.server.upstreams import secrets

    found = [
        {
            "channel": channel,
            "kind": one.kind,
            "url": one.url,
            "private": list(one.prefixes),
            "login": bool(one.secret),
            "secret_from": secrets.place_of(one.secret),
        }
        for channel, one in upstreaming.all_of(registry)
    ]
    if args.json:
        result(found)
    else:
        for line in found:
            place = f"  (login from {line['secret_from']})" if line["secret_from"] else ""
            print(f"{line['channel']}  {line['kind']}  {line['url']}{place}")
    return 0


def _follow(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.registry import following
    from twofold.server.registry.administration import OPERATOR
    from twofold.server.resolving import resolver
    from twofold.server.settings import Settings
    from twofold.server.upstreams.targets import Target

    resolve = resolver(registry, Settings(args.data.resolve(), args.database, args.objects))
    if resolve is None:
        note("uv is not installed: taking the newest releases that fit, project by project")
    if not args.names:
        done = following.refollow(registry, OPERATOR, args.channel, resolve)
    elif args.python and args.platform:
        target = Target(args.python, args.platform)
        wanted = (args.channel, args.names, target)
        done = following.follow(registry, OPERATOR, *wanted, resolve)
    else:
        raise TwofoldError(
            "a closure is for a Python and a platform",
            "say them: --python 3.12 --platform linux-64",
        )
    return _say(args, done)


def _say(args: argparse.Namespace, done: Followed) -> int:
    if args.json:
        result({"brought": done.brought, "here": done.here, "missing": done.missing})
    else:
        for filename in done.brought:
            print(filename)
        note(f"{len(done.brought)} brought, {len(done.here)} were here")
    for reason in done.missing.values():
        note(f"missing: {reason}")
    return 1 if done.missing else 0
