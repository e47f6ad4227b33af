"""`twofold try`: install a release into throwaway environments of both worlds and use it."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from twofold.cli.channels import Channels, find_channels
from twofold.cli.terminal import Parser, note, print_json
from twofold.errors import TwofoldError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from twofold.artifact import Artifact
    from twofold.install.smoke_test import SmokeResult

EPILOG = """\
Without FILES, what the last build of this project made is tried. The wheel (or the sdist, where
there is no wheel) is installed by pip, the conda package by py-rattler; then every import package
is imported, every entry point loaded, and the tests that the conda package carries are run.
"""


def parser() -> argparse.ArgumentParser:
    words = Parser("try", "Try built files in throwaway environments.", EPILOG).with_json()
    words.add_argument("files", nargs="*", type=Path, metavar="FILES", help="built files")
    words.add_argument(
        "--channel", action="append", default=[], metavar="CHANNEL", help="conda: more channels"
    )
    words.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )
    return words


def run(args: argparse.Namespace) -> int:
    from twofold.publish.files import find_release_files

    artifacts = [file.artifact for file in find_release_files(args.files, args.project)]
    with interrupt_on_sigterm():
        trials = smoke_test_files(artifacts, find_channels(args.channel))
    return print_results(trials, args.json)


@contextmanager
def interrupt_on_sigterm() -> Iterator[None]:
    """A terminated trial (a cancelled job) cleans up as one that is interrupted does."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def smoke_test_files(artifacts: Sequence[Artifact], channels: Channels) -> list[SmokeResult]:
    """One trial in each world the files are for."""
    from twofold.install.auth import Login
    from twofold.install.carried import extract_tests
    from twofold.install.smoke_test import (
        CondaSmokeTest,
        PipSmokeTest,
        make_channel,
        smoke_test_with_conda,
        smoke_test_with_pip,
    )
    from twofold.install.temp_dir import temporary_folder

    python_side = [a for a in artifacts if not a.kind.is_conda]
    conda_side = [a for a in artifacts if a.kind.is_conda]
    trials = []
    for name in dict.fromkeys(a.name for a in python_side):
        one = next(a for a in python_side if a.name == name)  # wheels come first
        note(f"trying {one.filename} with pip")
        trials.append(smoke_test_with_pip(PipSmokeTest(name, str(one.path.absolute()))))
    with temporary_folder() as folder:
        if conda_side:
            channel = make_channel([(a.path, a.subdir) for a in conda_side], folder / "c")
        for one in conda_side:
            note(f"trying {one.filename} with py-rattler")
            spec = f'{one.name}[version="=={one.version}",build="{one.build}"]'
            tests = extract_tests(one.path, folder / f"tests-{one.filename}")
            found = CondaSmokeTest(
                one.name,
                spec,
                (channel, *channels.addresses),
                logins=tuple((address, Login(token)) for address, token in channels.tokens),
                only=bool(channels.addresses),
                tests=tests,
            )
            trials.append(smoke_test_with_conda(found))
    if not trials:
        raise TwofoldError("there is nothing to try", "name a wheel, an sdist or a conda package")
    return trials


def print_results(trials: Sequence[SmokeResult], as_json: bool) -> int:
    """Tell which world works and which does not, and why; the exit code."""
    from dataclasses import asdict

    if as_json:
        print_json([{**asdict(trial), "worked": trial.worked} for trial in trials])
    for trial in trials:
        if as_json:
            continue
        told = "works" if trial.worked else "FAILS"
        print(f"{trial.world}: {told} ({trial.seconds:.1f} s)")
        if trial.note:
            print(f"  note: {trial.note}")
        for step in trial.steps:
            print(f"  {'ok  ' if step.worked else 'FAIL'} {step.what}")
            if not step.worked:
                print("\n".join(f"       {line}" for line in step.detail.strip().splitlines()))
    return 0 if all(trial.worked for trial in trials) else 1
