"""`twofold serve`: run the registry."""

from __future__ import annotations

import argparse
import os

from twofold.cli.server_settings import SERVING, STORE, VARIABLES, add_options, read_settings
from twofold.cli.setting_values import find_unknown_variables
from twofold.cli.terminal import Parser, note, print_json

DESCRIPTION = """\
Run the registry: one URL for pip and conda. The first start creates the user 'owner', the
channel 'main' and a token, which is printed once; the token is also the password of 'owner'.
Every option has an environment variable: --public-url is TWOFOLD_PUBLIC_URL."""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold serve`."""
    made = Parser("serve", DESCRIPTION)
    add_options(made, (*STORE, *SERVING))
    return made.with_json()


def run(args: argparse.Namespace) -> int:
    """Run `twofold serve`; returns the exit code."""
    from twofold.server.run import serve

    settings = read_settings(args)
    for name, meant in find_unknown_variables(os.environ, VARIABLES).items():
        note(f"warning: {name} is no setting{f': is {meant} meant?' if meant else ''}")
    os.umask(0o077)  # what the server writes is for its own user
    serve(settings, _say_json if args.json else _say)
    return 0


def _say_json(url: str, token: str | None) -> None:
    print_json({"url": url, "token": token} if token else {"url": url})


def _say(url: str, token: str | None) -> None:
    print(f"twofold serves {url}", flush=True)
    if token:
        print(f"token of 'owner' (shown this once): {token}", flush=True)
        note(f"  twine upload --repository-url {url}/main/legacy/ -u __token__ -p TOKEN dist/*")
    # Not --extra-index-url: pip would take the higher version of either index.
    note(f"  twofold install NAME --from {url}/main --venv DIR")
    note(f"  uv pip install --index {url}/main/simple/ NAME")
    note(f"  pip install --index-url {url}/main/simple/ NAME   (if all that it requires is there)")
    note(f"  conda install -c {url}/main NAME")
