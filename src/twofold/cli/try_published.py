"""`twofold publish --try`: install a release in both worlds from where it was published."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from twofold.publish.install_urls import find_install_urls
from twofold.publish.reading import find_read_credentials
from twofold.publish.trust import custom_ca_bundle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.artifact import Artifact
    from twofold.cli.channels import Channels
    from twofold.install.auth import Login
    from twofold.install.smoke_test import SmokeResult
    from twofold.publish.config import TargetSettings
    from twofold.publish.order import Publication
    from twofold.publish.targets.protocol import Target


def smoke_test_published(
    publication: Publication, channels: Channels, say: Callable[[str], None]
) -> list[SmokeResult]:
    """A trial for every target and world that the release went to.

    `channels` are asked after the target's own, in place of conda-forge where there are any.
    Where a target's address for users is not known, that is a failed trial.
    """
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
    """Whether there is a conda channel at an address of the target's own server."""
    http = getattr(target, "http", None)
    if http is None:
        return False
    login = _find_login(target, url)
    addresses = [url, *([login.add_token_to_path(url)] if login else [])]
    return any(http.get(f"{one}/noarch/repodata.json").ok for one in addresses)


def _find_login(target: Target, address: str) -> Login | None:
    """What opens the address that a target is read at."""
    from twofold.install.auth import Login

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
    from twofold.install.auth import Login
    from twofold.install.carried import extract_tests
    from twofold.install.smoke_test import CondaSmokeTest, smoke_test_with_conda

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
            only=bool(more.addresses),
            tests=extract_tests(artifact.path, Path(folder, "tests")),
        )
        return smoke_test_with_conda(found)


def _make_failed_result(settings: TargetSettings, is_conda: bool) -> SmokeResult:
    """A trial that fails because nobody knows where users install from."""
    from twofold.install.smoke_test import SmokeResult
    from twofold.install.test_runner import SmokeStep

    what = "conda channel" if is_conda else "simple index"
    key = "index" if not is_conda and settings.kind not in ("s3", "folder") else "public-url"
    why = (
        f"the address of the {what} that {settings.name} is read at is not known\n"
        f"hint: write a [targets.NAME] table for it with `{key}`, the address users install from"
    )
    step = SmokeStep(f"find where {settings.name} is read", False, why)
    return SmokeResult("conda" if is_conda else "pip", (step,), 0.0)
