"""`twofold login`, `logout`, `whoami`: the token of a target, and whose it is."""

from __future__ import annotations

import argparse
import getpass
import sys

from twofold.cli.terminal import Parser, note, print_json, remove_controls, show_error
from twofold.errors import Problem, ProjectErrors, TwofoldError, UsageError

EPILOG = """\
The token is read from standard input, or prompted for on a terminal; never from the command
line, where others can see it. It is stored in the keyring; without a keyring, in config.toml,
readable by you only. For Anaconda.org's API with --user, the password is exchanged for a token.
"""


def login_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold login`."""
    words = Parser("login", "Store the token of a target.", EPILOG).with_json()
    words.set_defaults(run=_log_in)
    words.add_argument("target", metavar="TARGET", help="a name or a URL, as for publish")
    words.add_argument("--user", default="", help="the user, to log in with a password")
    words.add_argument(
        "--no-check", action="store_true", help="store it without verifying it at the target"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run one of the three commands; returns the exit code."""
    code: int = args.run(args)
    return code


def _log_in(args: argparse.Namespace) -> int:
    """Store a token, after the target has verified it if it can."""
    from dataclasses import asdict

    from twofold.publish.login import log_in, require_login

    require_login(args.target)
    secret = _read_token(args.target, args.user)
    done = log_in(args.target, secret, args.user, check=not args.no_check)
    if args.json:
        print_json(asdict(done))
    else:
        note(f"stored in {done.stored}")
        who = f" as {done.who}" if done.who else ""
        if done.checked:
            print(remove_controls(f"logged in to {done.target}{who}"))
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


def logout_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold logout`."""
    words = Parser("logout", "Remove a target's token from keyring and configuration.").with_json()
    words.set_defaults(run=_log_out)
    words.add_argument("target", metavar="TARGET", help="a name or a URL, as for publish")
    return words


def _log_out(args: argparse.Namespace) -> int:
    """Remove the stored token."""
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


def whoami_parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold whoami`."""
    words = Parser("whoami", "Show the account that each target authenticates you as.").with_json()
    words.set_defaults(run=_show_accounts)
    words.add_argument(
        "targets", nargs="*", metavar="TARGET", help="names or URLs (default: all configured)"
    )
    return words


def _show_accounts(args: argparse.Namespace) -> int:
    """Print each target's account."""
    from twofold.publish.config import read_targets
    from twofold.publish.login import find_account

    words = args.targets or sorted(read_targets())
    if not words:
        raise UsageError("no target is configured", "name one: twofold whoami http://host/main")
    rows, failed = [], []
    for word in words:
        try:
            account = find_account(word)
            rows.append({"target": account.target, "who": account.account, "token": account.source})
        except TwofoldError as error:
            message = error.problems[0].message
            failed.append(Problem(message, error.hint, "" if word in message else word))
    if args.json:
        print_json(
            rows if not failed else {"targets": rows, "errors": [_as_dict(p) for p in failed]}
        )
    else:
        for row in rows:
            source = f" (token: {row['token']})" if row["token"] else ""
            print(remove_controls(f"{row['target']}: {row['who']}{source}"))
    if failed:
        show_error(ProjectErrors(failed))
    return 1 if failed else 0


def _as_dict(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "message": problem.message, "hint": problem.hint}
