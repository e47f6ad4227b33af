"""`twofold admin upstream`: the indexes and channels behind a channel, and their policy."""

from __future__ import annotations

import argparse
import sys

from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from twofold.fetching.credentials import Credential, SecretReference
    from twofold.server.context import Registry


def add_upstream_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `upstream` with its verbs to the sub-commands of `twofold admin`."""
    made = commands.add_parser("upstream", help="configure the upstream of a channel")
    verbs = made.add_subparsers(dest="verb", required=True, metavar="VERB")
    adding = verbs.add_parser("add", help="proxy an index or a conda channel")
    adding.add_argument("channel")
    adding.add_argument("url", help="the URL of the simple index, or of the conda channel")
    adding.add_argument("--kind", choices=("pypi", "conda"), required=True)
    _add_name(adding)
    adding.add_argument(
        "--before", metavar="NAME", help="ask it before this upstream of its kind (default: last)"
    )
    adding.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="PROJECT",
        help="one of its own names (torch, nvidia-*): it is asked for nothing else, and no "
        "upstream without --only is asked for these; repeatable",
    )
    adding.add_argument(
        "--max-age",
        type=int,
        metavar="SECONDS",
        help="how long its pages are fresh (default: 600)",
    )
    adding.add_argument(
        "--private-prefix",
        action="append",
        default=[],
        metavar="PREFIX",
        help="a name or prefix that is never fetched from the upstream; repeatable",
    )
    adding.add_argument(
        "--files-at",
        action="append",
        default=[],
        metavar="HOST",
        help="a host beside the index whose files are allowed though its address is not public "
        "(HOST or HOST:PORT); repeatable",
    )
    adding.add_argument(
        "--try",
        dest="tried",
        default="pip",
        metavar="PROJECT",
        help="the project whose page is tried (default: %(default)s)",
    )
    adding.add_argument(
        "--user",
        metavar="NAME",
        help="log in to the upstream as this user; the password is read from stdin",
    )
    adding.add_argument(
        "--token", action="store_true", help="use a token for the upstream; it is read from stdin"
    )
    adding.add_argument(
        "--secret-from",
        metavar="PLACE",
        help="read that password or token on the server each time it is used, and never "
        "store it: env:NAME or file:PATH",
    )
    with_json(adding).set_defaults(act=_add_upstream)
    _add_policy_parser(verbs)
    removing = verbs.add_parser("remove", help="remove the upstream; fetched files are kept")
    removing.add_argument("channel")
    removing.add_argument("--kind", choices=("pypi", "conda"), required=True)
    _add_name(removing)
    with_json(removing).set_defaults(act=_remove_upstream)
    refreshing = verbs.add_parser(
        "refresh", help="revalidate the pages of the upstreams with the next request"
    )
    refreshing.add_argument("channel")
    refreshing.add_argument(
        "names", nargs="*", metavar="NAME", help="a project, or a subdir of a conda channel"
    )
    with_json(refreshing).set_defaults(act=_refresh)
    listing = verbs.add_parser("list", help="list the upstreams of all channels")
    with_json(listing).set_defaults(act=_list_upstreams)


def _add_policy_parser(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    made = verbs.add_parser(
        "policy", help="set which files of the index are served; without options, none is refused"
    )
    made.add_argument("channel")
    _add_name(made)
    made.add_argument("--min-age", type=int, default=0, metavar="DAYS", help="since the upload")
    many: dict[str, Any] = {"action": "append", "default": [], "metavar": "NAME"}
    made.add_argument("--at-once", help="a project without a minimum age; repeatable", **many)
    made.add_argument("--allow", help="take only these (spam, spam<2); repeatable", **many)
    made.add_argument("--deny", help="refuse these (spam, spam<2); repeatable", **many)
    made.add_argument("--wheels-only", action="store_true", help="refuse sdists")
    made.add_argument(
        "--license",
        action="append",
        default=[],
        metavar="ID",
        help="take only projects under this licence (an SPDX identifier); repeatable",
    )
    made.add_argument(
        "--advisories",
        default="",
        metavar="PLACE",
        help="refuse releases with a known vulnerability, by OSV's database: all.zip or a folder "
        "of JSON on this machine, or its address, which is fetched again every six hours",
    )
    made.add_argument(
        "--accept",
        action="append",
        default=[],
        metavar="ID",
        help="an advisory that does not count; repeatable",
    )
    made.add_argument(
        "--approval", action="store_true", help="take only names that an administrator granted"
    )
    made.add_argument("--except", dest="excepted", help="take these anyway; repeatable", **many)
    with_json(made).set_defaults(act=_set_policy)


def _add_name(made: argparse.ArgumentParser) -> None:
    made.add_argument(
        "--name",
        default="default",
        help="which of several upstreams of a kind (default: %(default)s)",
    )


def with_json(made: argparse.ArgumentParser) -> argparse.ArgumentParser:
    """Accept `--json` after the subcommand too."""
    made.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    return made


def _add_upstream(args: argparse.Namespace, registry: Registry) -> int:
    from dataclasses import replace

    from twofold.server.proxy import config

    prefixes = tuple(args.private_prefix)
    secret, files_at = read_secret(args), tuple(args.files_at)
    upstream = config.UpstreamConfig(args.url, args.kind, prefixes, secret, files_at)
    upstream = replace(
        upstream,
        name=args.name,
        before=args.before,
        only=tuple(args.only),
        max_age=args.max_age,
    )
    added = config.add(registry, "operator", args.channel, upstream)
    tried = config.probe(registry, args.channel, added, args.tried)
    where = " (not a public address)" if added.internal else ""
    where += " with a login" if added.secret else ""
    if args.json:
        row = {"url": added.url, "internal": added.internal, "login": bool(added.secret)}
        print_json({"channel": args.channel, **row, "tried": tried})
    else:
        print_text(f"{args.channel} proxies {added.url}{where}")
        for line in tried:
            note(line)
    return 0


def read_secret(args: argparse.Namespace) -> Credential | SecretReference | None:
    """The password or token from stdin, or a reference to it; never from the command line."""
    if args.user and args.token:
        raise UsageError("--user and --token exclude each other", "pass one of them")
    if not args.user and not args.token:
        if args.secret_from:
            raise UsageError(
                "--secret-from needs --user or --token",
                "pass --user NAME for a password, or --token",
            )
        return None
    from twofold.fetching import credentials

    if args.secret_from:
        return credentials.parse_reference(args.secret_from, args.user or "")
    note("password:" if args.user else "token:")
    word = sys.stdin.readline().rstrip("\r\n")
    if not word:
        raise UsageError("stdin is empty", "pass the password or token on one line")
    return credentials.from_cli(args.user or "", word)


def _set_policy(args: argparse.Namespace, registry: Registry) -> int:
    from dataclasses import asdict

    from twofold.server.proxy import config
    from twofold.server.proxy.policy import Policy

    lists = (tuple(args.at_once), tuple(args.allow), tuple(args.deny))
    policy = Policy(
        args.min_age,
        *lists,
        args.wheels_only,
        licenses=tuple(args.license),
        advisories=args.advisories,
        accept=tuple(args.accept),
        approval=args.approval,
        exceptions=tuple(args.excepted),
    )
    config.set_policy(registry, "operator", args.channel, policy, args.name)
    if args.json:
        print_json({"channel": args.channel, **asdict(policy)})
    return 0


def _remove_upstream(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.proxy import config

    config.remove(registry, "operator", args.channel, args.kind, args.name)
    return 0


def _refresh(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.proxy import config

    pages = config.refresh(registry, "operator", args.channel, args.names)
    if args.json:
        print_json({"pages": pages})
    else:
        note(f"{pages} cached pages will be revalidated")
    return 0


def _list_upstreams(args: argparse.Namespace, registry: Registry) -> int:
    from dataclasses import asdict

    from twofold.fetching import credentials
    from twofold.server.proxy import config
    from twofold.server.proxy.policy import parse_policy

    found = [
        {
            "channel": channel,
            "kind": one.kind,
            "name": one.name,
            "only": list(one.only),
            "max_age": one.max_age,
            "url": one.url,
            "private": list(one.prefixes),
            "login": bool(one.secret),
            "files_at": list(one.files_at),
            "policy": asdict(parse_policy(one.policy)),
            "secret_from": credentials.reference_location(one.secret),
        }
        for channel, one in config.list_all(registry)
    ]
    if args.json:
        print_json(found)
    else:
        for line in found:
            place = f"  (login from {line['secret_from']})" if line["secret_from"] else ""
            name = f"  {line['name']}" if line["name"] != "default" else ""
            print_text(f"{line['channel']}  {line['kind']}{name}  {line['url']}{place}")
    return 0
