"""`twofold whoami`: the account a target authenticates you as, and the token's source."""

from __future__ import annotations

import argparse

from twofold.cli.terminal import Parser, print_json, show_error
from twofold.errors import Problem, ProjectErrors, TwofoldError, UsageError


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold whoami`."""
    words = Parser("whoami", "Show the account that each target authenticates you as.").with_json()
    words.add_argument(
        "targets", nargs="*", metavar="TARGET", help="names or URLs (default: all configured)"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold whoami`; returns the exit code."""
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
            failed.append(Problem(error.problems[0].message, error.hint, word))
    if args.json:
        print_json(
            rows if not failed else {"targets": rows, "errors": [_as_dict(p) for p in failed]}
        )
    else:
        for row in rows:
            source = f" (token: {row['token']})" if row["token"] else ""
            print(f"{row['target']}: {row['who']}{source}")
    if failed:
        show_error(ProjectErrors(failed))
    return 1 if failed else 0


def _as_dict(problem: Problem) -> dict[str, str]:
    return {"where": problem.where, "message": problem.message, "hint": problem.hint}
