"""`twofold install`: from a registry or channel into a virtual or a conda environment."""

from __future__ import annotations

import argparse
from pathlib import Path

from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import UsageError

EPILOG = """\
--from is the URL of a registry's channel (http://host/main), one of your targets by name, or a
folder that is a channel. Dependencies that it does not have come from pip's configured indexes
(--venv), or from the channels of --channel and then conda-forge (--conda). A project that the
registry has is never installed from elsewhere, and the first NAME must be there.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold install`."""
    words = Parser("install", "Install packages into an environment.", EPILOG).with_json()
    words.add_argument(
        "names", nargs="+", metavar="NAME", help="packages to install: name, name==1.0"
    )
    words.add_argument("--from", dest="source", metavar="URL", help="the registry or channel")
    where = words.add_mutually_exclusive_group(required=True)
    where.add_argument("--venv", type=Path, metavar="DIR", help="a virtual environment")
    where.add_argument("--conda", type=Path, metavar="DIR", help="a conda environment")
    words.add_argument("--uv", action="store_true", help="--venv: install with uv, not pip")
    words.add_argument(
        "--upgrade", "-U", action="store_true", help="replace older releases of the NAMEs"
    )
    words.add_argument("--only", action="store_true", help="install from --from and --channel only")
    words.add_argument(
        "--python", metavar="PYTHON", help="--venv: an interpreter; --conda: a version (3.12)"
    )
    words.add_argument(
        "--channel", action="append", default=[], metavar="CHANNEL", help="--conda: more channels"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold install`; returns the exit code."""
    if args.venv is not None:
        return _venv(args)
    return _conda(args)


def _venv(args: argparse.Namespace) -> int:
    from twofold.cli.smoke_test import interrupt_on_sigterm
    from twofold.install.auth import Login
    from twofold.install.pip import PipInstall, install_into_venv

    if args.channel:
        raise UsageError("--channel is for --conda", "add indexes to pip's own configuration")
    source, token = _source(args.source)
    wanted = PipInstall(
        requirements=args.names,
        index=f"{source.rstrip('/')}/simple/" if source else "",
        login=Login(token) if token else None,
        only_index=args.only,
        installer="uv" if args.uv else "pip",
        python=Path(args.python) if args.python else None,
        upgrade=args.upgrade,
    )
    with interrupt_on_sigterm():  # so that pip's netrc file is removed
        python = install_into_venv(args.venv, wanted)
    if args.json:
        print_json({"python": str(python), "installed": args.names})
    else:
        print(f"installed {', '.join(args.names)} into {args.venv}; run it with {python}")
    return 0


def _conda(args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from twofold.install.auth import Login
    from twofold.install.conda_or_repack import install_or_repack
    from twofold.install.offered_channel import find_channel_address

    if args.uv:
        raise UsageError(
            "--uv is for --venv", "remove it: conda environments use neither pip nor uv"
        )
    from twofold.cli.channels import find_channels

    source, token = _source(args.source)
    more = find_channels(args.channel)
    tokens = dict(more.tokens) | ({source: token} if token else {})
    logins = {address: Login(secret) for address, secret in tokens.items()}
    specs = list(args.names)
    if source:
        source = find_channel_address(specs, source, logins, args.python)
    if args.python:
        specs.append(f"python={args.python}")
    outcome = install_or_repack(
        specs,
        ([source] if source else []) + list(more.addresses),
        args.conda,
        logins=logins,
        add_conda_forge=not args.only,
        upgrade=args.upgrade,
    )
    if outcome.note:
        note(f"note: {outcome.note}")
    if args.json:
        print_json({"prefix": str(args.conda), "packages": [asdict(p) for p in outcome.packages]})
    else:
        for package in outcome.packages:
            print(f"{package.name} {package.version} {package.build}")
    return 0


def _source(word: str | None) -> tuple[str, str]:
    """The URL of --from and its token ('': none)."""
    if not word:
        return "", ""
    from twofold.cli.channels import note_channels
    from twofold.publish.credentials import find_credentials
    from twofold.publish.resolve import resolve_targets

    note_channels([word])
    (target,) = resolve_targets([word])
    if target.kind == "folder":
        return Path(target.url).as_uri(), ""
    if target.kind != "registry":
        raise UsageError(
            f"cannot install by name from '{word}', a target of the kind {target.kind}",
            "pass the URL of a twofold registry's channel, or a folder",
        )
    found = find_credentials(target)
    return target.url, found.secret.reveal() if found else ""
