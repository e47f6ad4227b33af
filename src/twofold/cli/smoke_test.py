"""`twofold try` and `publish --try`: smoke tests of built and of published files."""

from __future__ import annotations

import argparse
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from twofold.cli.terminal import Parser, expand_files, note, print_json
from twofold.errors import TwofoldError
from twofold.extras import require_extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from twofold.artifact import Artifact
    from twofold.cli.channels import Channels
    from twofold.install.auth import Login
    from twofold.install.smoke_test import SmokeResult
    from twofold.publish.order import Publication
    from twofold.publish.targets.protocol import Target
    from twofold.publish.targets.settings import TargetSettings


EPILOG = """\
Without FILES, the files of this project's last build are tested. The wheel (or the sdist,
without a wheel) is installed with pip, the conda package with py-rattler; then every import
package is imported, every entry point loaded, and the tests in the conda package are run.
"""


def parser() -> argparse.ArgumentParser:
    """Make the parser of `twofold try`."""
    words = Parser("try", "Smoke-test built files in temporary environments.", EPILOG).with_json()
    words.add_argument("files", nargs="*", type=Path, metavar="FILES", help="built files")
    words.add_argument(
        "--channel", action="append", default=[], metavar="CHANNEL", help="conda: more channels"
    )
    words.add_argument("--only", action="store_true", help="conda: only the channels of --channel")
    words.add_argument(
        "--project", type=Path, default=Path(), metavar="DIR", help="the project (default: here)"
    )
    return words


def run(args: argparse.Namespace) -> int:
    """Run `twofold try`; returns the exit code."""
    from twofold.cli.build import require_current
    from twofold.cli.channels import find_channels
    from twofold.publish.files import find_release_files

    if not args.files:
        require_current(str(args.project))
    files = expand_files(args.files)
    artifacts = [file.artifact for file in find_release_files(files, args.project)]
    with interrupt_on_sigterm():
        trials = smoke_test_files(artifacts, find_channels(args.channel, only=args.only))
    return print_results(trials, args.json)


@contextmanager
def interrupt_on_sigterm() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, so that a cancelled job cleans up."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def smoke_test_files(artifacts: Sequence[Artifact], channels: Channels) -> list[SmokeResult]:
    """Run a smoke test with pip and with py-rattler, for the files of each."""
    from twofold.install.auth import Login
    from twofold.install.conda_or_repack import temporary_folder
    from twofold.install.smoke_test import (
        CondaSmokeTest,
        PipSmokeTest,
        make_channel,
        smoke_test_with_conda,
        smoke_test_with_pip,
    )
    from twofold.install.test_runner import extract_tests

    python_side = [a for a in artifacts if not a.kind.is_conda]
    conda_side = [a for a in artifacts if a.kind.is_conda]
    if conda_side:
        require_extra("conda")  # before the pip side is tried, which takes seconds
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
                only=channels.only,
                tests=tests,
            )
            trials.append(smoke_test_with_conda(found))
    if not trials:
        raise TwofoldError(
            "there are no files to test", "name a wheel, an sdist or a conda package"
        )
    return trials


def print_results(trials: Sequence[SmokeResult], as_json: bool) -> int:
    """Print the results and the reasons of failures; returns the exit code."""
    from dataclasses import asdict

    if as_json:
        print_json([{**asdict(trial), "worked": trial.worked} for trial in trials])
    for trial in trials:
        if as_json:
            continue
        outcome = "works" if trial.worked else "FAILS"
        print(f"{trial.world}: {outcome} ({trial.seconds:.1f} s)")
        if trial.note:
            print(f"  note: {trial.note}")
        for step in trial.steps:
            print(f"  {'ok  ' if step.worked else 'FAIL'} {step.what}")
            if not step.worked:
                print("\n".join(f"       {line}" for line in step.detail.strip().splitlines()))
    return 0 if all(trial.worked for trial in trials) else 1


def smoke_test_published(
    publication: Publication, channels: Channels, say: Callable[[str], None]
) -> list[SmokeResult]:
    """Run a smoke test for every target, with pip and with py-rattler.

    `channels` come after the target's own, and before conda-forge unless they are the only ones. A
    target whose URL for users is unknown has a failed result.
    """
    from twofold.install.auth import custom_ca_bundle
    from twofold.publish.targets.install_urls import find_install_urls

    trials: list[SmokeResult] = []
    for target in publication.targets:
        steps = [s for s in publication.plan.present if s.target is target]
        seen = {(s.file.artifact.kind.is_conda, s.file.artifact.name): s for s in steps}
        places = find_install_urls(target.settings, partial(_is_channel, target))
        for (is_conda, _), step in seen.items():
            artifact, world = step.file.artifact, "py-rattler" if is_conda else "pip"
            wanted = f"{artifact.name} {artifact.version}"
            say(f"trying {wanted} from {target.settings.name} with {world}")
            with custom_ca_bundle(target.settings.ca):
                trials.append(
                    _test_with_conda(target, places.channel, artifact, channels)
                    if is_conda
                    else _test_with_pip(target, places.index, artifact)
                )
    return trials


def _is_channel(target: Target, url: str) -> bool:
    """Whether there is a conda channel at a URL of the target's own server."""
    http = getattr(target, "http", None)
    if http is None:
        return False
    login = _find_login(target, url)
    addresses = [url, *([login.add_token_to_path(url)] if login else [])]
    return any(http.get(f"{one}/noarch/repodata.json").ok for one in addresses)


def _find_login(target: Target, address: str) -> Login | None:
    """The login for a URL that a target is read at."""
    from twofold.install.auth import Login
    from twofold.publish.targets.install_urls import find_read_credentials

    http = getattr(target, "http", None)
    found = find_read_credentials(target.settings, http.credentials if http else None, address)
    return Login(found.secret.reveal(), found.user, found.style) if found else None


def _test_with_pip(target: Target, address: str, artifact: Artifact) -> SmokeResult:
    from twofold.install.smoke_test import PipSmokeTest, smoke_test_with_pip

    if not address:
        return _make_failed_result(target.settings, is_conda=False)
    wanted = f"{artifact.name}=={artifact.version}"
    return smoke_test_with_pip(
        PipSmokeTest(artifact.name, wanted, address, _find_login(target, address))
    )


def _test_with_conda(
    target: Target, address: str, artifact: Artifact, more: Channels
) -> SmokeResult:
    import tempfile

    from twofold.install.auth import Login
    from twofold.install.smoke_test import CondaSmokeTest, smoke_test_with_conda
    from twofold.install.test_runner import extract_tests

    if not address:
        return _make_failed_result(target.settings, is_conda=True)
    login = _find_login(target, address)
    spec = f'{artifact.name}[version="=={artifact.version}",build="{artifact.build}"]'
    logins = {channel: Login(token) for channel, token in more.tokens}
    logins |= {address: login} if login else {}
    with tempfile.TemporaryDirectory(prefix="twofold-try-") as folder:
        found = CondaSmokeTest(
            artifact.name,
            spec,
            (address, *more.addresses),
            tuple(logins.items()),
            only=more.only,
            tests=extract_tests(artifact.path, Path(folder, "tests")),
        )
        return smoke_test_with_conda(found)


def _make_failed_result(settings: TargetSettings, is_conda: bool) -> SmokeResult:
    """A failed result for a target whose URL for users is unknown."""
    from twofold.install.smoke_test import SmokeResult
    from twofold.install.test_runner import SmokeStep
    from twofold.publish.targets.kinds import KINDS

    what = "conda channel" if is_conda else "simple index"
    key = "index" if not is_conda and not KINDS[settings.kind].no_login else "public-url"
    why = (
        f"the URL of the {what} of {settings.name} is unknown\n"
        f"hint: write a [targets.NAME] table for it with `{key}`, the URL users install from"
    )
    step = SmokeStep(f"find the {what} of {settings.name}", False, why)
    return SmokeResult("conda" if is_conda else "pip", (step,), 0.0)
