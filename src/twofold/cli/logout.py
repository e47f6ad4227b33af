"""`twofold logout`: forget a target's token."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import Parser, result


def parser() -> argparse.ArgumentParser:
    words = Parser("logout", "Remove a target's token from keyring and configuration.").with_json()
    words.add_argument("target", metavar="TARGET", help="a name or an address, as for publish")
    return words


def run(args: argparse.Namespace) -> int:
    from twofold.publish.login import log_out

    places = log_out(args.target)
    if args.json:
        result({"target": args.target, "removed_from": places})
    elif places:
        print(f"logged out of {args.target}: removed from {' and '.join(places)}")
    else:
        print(f"there was no token of {args.target}")
    return 0
