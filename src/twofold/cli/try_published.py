"""`twofold publish --try`: install a release in both worlds from where it was published."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from twofold.publish.places import places_of
from twofold.publish.reading import reader_of
from twofold.publish.trust import trusting

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.artifact import Artifact
    from twofold.cli.channels import Channels
    from twofold.install.logins import Login
    from twofold.install.trial import Trial
    from twofold.publish.configuration import TargetSettings
    from twofold.publish.publication import Publication
    from twofold.publish.targets.protocol import Target


def try_published(
    publication: Publication, channels: Channels, say: Callable[[str], None]
) -> list[Trial]:
    """A trial for every target and world that the release went to.

    `channels` are asked after the target's own, in place of conda-forge where there are any.
    Where a target's address for users is not known, that is a failed trial.
    """
    trials: list[Trial] = []
    for target in publication.targets:
        steps = [s for s in publication.plan.present if s.target is target]
        seen = {(s.file.artifact.kind.is_conda, s.file.artifact.name): s for s in steps}
        places = places_of(target.settings, partial(_is_channel, target))
        for (is_conda, _), step in seen.items():
            artifact, world = step.file.artifact, "py-rattler" if is_conda else "pip"
            wanted = f"{artifact.name} {artifact.version}"
            say(f"trying {wanted} from {target.settings.name} with {world}")
            with trusting(target.settings.ca):
                trials.append(
                    _try_with_conda(target, places.channel, artifact, channels)
                    if is_conda
                    else _try_with_pip(target, places.index, artifact)
                )
    return trials


def _is_channel(target: Target, url: str) -> bool:
    """Whether there is a conda channel at an address of the target's own server."""
    http = getattr(target, "http", None)
    if http is None:
        return False
    login = _login(target, url)
    addresses = [url, *([login.below_token(url)] if login else [])]
    return any(http.get(f"{one}/noarch/repodata.json").ok for one in addresses)


def _login(target: Target, address: str) -> Login | None:
    """What opens the address that a target is read at."""
    from twofold.install.logins import Login

    http = getattr(target, "http", None)
    found = reader_of(target.settings, http.credentials if http else None, address)
    return Login(found.secret.reveal(), found.user, found.way) if found else None


def _try_with_pip(target: Target, address: str, artifact: Artifact) -> Trial:
    from twofold.install.trial import PipTrial, try_with_pip

    if not address:
        return _not_tried(target.settings, is_conda=False)
    wanted = f"{artifact.name}=={artifact.version}"
    return try_with_pip(PipTrial(artifact.name, wanted, address, _login(target, address)))


def _try_with_conda(target: Target, address: str, artifact: Artifact, more: Channels) -> Trial:
    from twofold.install.carried import carried_tests
    from twofold.install.logins import Login
    from twofold.install.trial import CondaTrial, try_with_conda

    if not address:
        return _not_tried(target.settings, is_conda=True)
    login = _login(target, address)
    spec = f'{artifact.name}[version="=={artifact.version}",build="{artifact.build}"]'
    logins = {channel: Login(token) for channel, token in more.tokens}
    logins |= {address: login} if login else {}
    with tempfile.TemporaryDirectory(prefix="twofold-try-") as folder:
        found = CondaTrial(
            artifact.name,
            spec,
            (address, *more.addresses),
            tuple(logins.items()),
            only=bool(more.addresses),
            tests=carried_tests(artifact.path, Path(folder, "tests")),
        )
        return try_with_conda(found)


def _not_tried(settings: TargetSettings, is_conda: bool) -> Trial:
    """A trial that fails because nobody knows where users install from."""
    from twofold.install.running import Step
    from twofold.install.trial import Trial

    what = "conda channel" if is_conda else "simple index"
    key = "index" if not is_conda and settings.kind not in ("s3", "folder") else "public-url"
    why = (
        f"the address of the {what} that {settings.name} is read at is not known\n"
        f"hint: write a [targets.NAME] table for it with `{key}`, the address users install from"
    )
    step = Step(f"find where {settings.name} is read", False, why)
    return Trial("conda" if is_conda else "pip", (step,), 0.0)
