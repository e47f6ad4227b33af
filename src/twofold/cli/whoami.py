"""`twofold whoami`: whom a target takes one for, and where the token comes from."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import Parser, result
from twofold.errors import UsageError


def parser() -> argparse.ArgumentParser:
    words = Parser("whoami", "Ask targets who the credentials stand for.").with_json()
    words.add_argument(
        "targets", nargs="*", metavar="TARGET", help="names or addresses (default: all configured)"
    )
    return words


def run(args: argparse.Namespace) -> int:
    from twofold.publish.configuration import read_targets
    from twofold.publish.login import who_am_i

    words = args.targets or sorted(read_targets())
    if not words:
        raise UsageError("no target is configured", "name one: twofold whoami http://host/main")
    rows = [who_am_i(word) for word in words]
    if args.json:
        result([{"target": r.target, "who": r.who, "token": r.source} for r in rows])
    else:
        for row in rows:
            print(f"{row.target}: {row.who} (token: {row.source or 'none found'})")
    return 0
