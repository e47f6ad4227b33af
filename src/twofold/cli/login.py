"""`twofold login`: store a target's token in the keyring, or in the configuration."""

from __future__ import annotations

import argparse
import getpass
import sys

from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import TwofoldError, UsageError

EPILOG = """\
The token is read from standard input, or prompted for on a terminal; never from the command
line, where others can see it. It is stored in the keyring; without a keyring, in config.toml,
readable by you only. For Anaconda.org's API with --user, the password is exchanged for a token.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold login`."""
    words = Parser("login", "Store the token of a target.", EPILOG).with_json()
    words.add_argument("target", metavar="TARGET", help="a name or a URL, as for publish")
    words.add_argument("--user", default="", help="the user, to log in with a password")
    words.add_argument(
        "--no-check", action="store_true", help="store it without verifying it at the target"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold login`; returns the exit code."""
    from dataclasses import asdict

    from twofold.publish.login import log_in

    secret = _read_token(args.target, args.user)
    done = log_in(args.target, secret, args.user, check=not args.no_check)
    if args.json:
        print_json(asdict(done))
    else:
        note(f"stored in {done.stored}")
        who = f" as {done.who}" if done.who else ""
        if done.checked:
            print(f"logged in to {done.target}{who}")
        else:
            print(
                f"stored for {done.target}{who}; not verified: "
                "a wrong token shows at the first upload"
            )
    return 0


def _read_token(target: str, user: str) -> str:
    if sys.stdin is None:
        raise UsageError("standard input is closed", "pipe the token in")
    if sys.stdin.isatty():
        what = f"password of {user}" if user else "token"
        try:
            text = getpass.getpass(f"{what} for {target}: ")
        except EOFError:  # Ctrl-D
            print(file=sys.stderr)
            text = ""
    else:
        text = sys.stdin.readline()
    if not text.strip():
        raise TwofoldError("no token was given", "pipe it in: twofold login TARGET < token-file")
    return text.strip()
