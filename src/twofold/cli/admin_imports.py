"""`twofold admin import`: the files of another registry, or of its folder, into a channel."""

from __future__ import annotations

import argparse
from pathlib import Path

from twofold.cli.admin_upstreams import read_secret, with_json
from twofold.cli.terminal import note, print_json, print_text
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.errors import Problem
    from twofold.server.context import Registry
    from twofold.server.importing.sources import Source
    from twofold.server.importing.transfer import ImportResult

#: The registries that can be read; `simple` and `conda` are any index and any channel.
KINDS = ("devpi", "pypiserver", "quetz", "artifactory", "nexus", "simple", "conda")


def add_import_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add `import` to the sub-commands of `twofold admin`."""
    made = commands.add_parser("import", help="copy the files of another registry into a channel")
    made.add_argument("kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    made.add_argument("source", metavar="SOURCE", help="its URL, or the folder of its files")
    made.add_argument("--channel", default="main", help="the channel (default: main)")
    made.add_argument(
        "--dry-run", action="store_true", help="list what would be imported and fetch nothing"
    )
    made.add_argument(
        "--user", metavar="NAME", help="log in as this user; the password is read from stdin"
    )
    made.add_argument("--token", action="store_true", help="use a token; it is read from stdin")
    made.add_argument(
        "--secret-from",
        metavar="PLACE",
        help="read that password or token from env:NAME or file:PATH instead",
    )
    with_json(made).set_defaults(act=_import)


def _import(args: argparse.Namespace, registry: Registry) -> int:
    from twofold.server.importing.sources import list_files
    from twofold.server.importing.transfer import import_files

    source = _open_source(args)
    wanted = list_files(source)
    note(f"{source.address} has {len(wanted)} files")
    report = None if args.dry_run else note
    result = import_files(registry, args.channel, source, wanted, report)
    if args.json:
        print_json({**_list_names(result), "failed": [_as_dict(one) for one in result.failed]})
    else:
        _print_result(result, args.dry_run)
    return 1 if result.failed else 0


def _open_source(args: argparse.Namespace) -> Source:
    from twofold.fetching.client import Endpoint
    from twofold.fetching.credentials import PATH, Credential, SecretReference, split_userinfo
    from twofold.server.importing.sources import Source

    if "://" not in args.source:
        if not Path(args.source).is_dir():
            raise TwofoldError(
                f"there is no folder {args.source}", "pass a folder, or a URL that begins with http"
            )
        return Source(args.kind, args.source)
    url, secret = split_userinfo(args.source)
    found = read_secret(args) or secret
    secret = found.resolve() if isinstance(found, SecretReference) else found
    if args.kind == "quetz" and args.token and secret is not None:
        secret = Credential(PATH, secret.value)  # it reads no Authorization header
    return Source(args.kind, url, Endpoint(url, any_address=True, secret=secret))


def _list_names(result: ImportResult) -> dict[str, list[str]]:
    return {"imported": result.imported, "present": result.present, "planned": result.planned}


def _as_dict(problem: Problem) -> dict[str, str]:
    return {"file": problem.where, "message": problem.message, "hint": problem.hint}


def _print_result(result: ImportResult, is_dry_run: bool) -> None:
    for name in result.planned:
        print_text(f"would import {name}")
    for problem in result.failed:
        print_text(f"failed  {problem.where}: {problem.message}")
        if problem.hint:
            print_text(f"  hint: {problem.hint}")
    what = f"{len(result.planned)} to import" if is_dry_run else f"{len(result.imported)} imported"
    print(f"{what}, {len(result.present)} already there, {len(result.failed)} failed")
