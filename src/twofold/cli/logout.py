"""`twofold logout`: remove a target's token."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import Parser, note, print_json


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold logout`."""
    words = Parser("logout", "Remove a target's token from keyring and configuration.").with_json()
    words.add_argument("target", metavar="TARGET", help="a name or a URL, as for publish")
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold logout`; returns the exit code."""
    from twofold.publish.login import log_out

    done = log_out(args.target)
    if args.json:
        print_json(
            {"target": args.target, "removed_from": done.removed_from, "still_in": done.still_in}
        )
    elif done.removed_from:
        print(f"logged out of {args.target}: removed from {' and '.join(done.removed_from)}")
    else:
        print(f"there was no stored token for {args.target}")
    if done.still_in:
        note(f"note: {done.still_in} still has a token for it; remove it there")
    return 0
