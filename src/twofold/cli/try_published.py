"""`twofold publish --try`: install a release in both worlds from where it was published."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from twofold.publish.credentials import find_credentials
from twofold.publish.places import places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from twofold.install.trial import Trial
    from twofold.publish.authentication import Credentials
    from twofold.publish.configuration import TargetSettings
    from twofold.publish.places import Places
    from twofold.publish.plan import Step as PlannedStep
    from twofold.publish.publication import Publication
    from twofold.publish.targets.protocol import Target


def try_published(publication: Publication, say: Callable[[str], None]) -> list[Trial]:
    """A trial for every target and world that the release went to.

    Where a target's address for users is not known, that is a failed trial.
    """
    trials: list[Trial] = []
    for target in publication.targets:
        steps = [s for s in publication.plan.present if s.target is target]
        seen = {(s.file.artifact.kind.is_conda, s.file.artifact.name): s for s in steps}
        others = [t.settings for t in publication.targets if t is not target]
        known = find_credentials(target.settings, others)
        places = places_of(target.settings, partial(_is_channel, target))
        for (is_conda, _), step in seen.items():
            artifact, world = step.file.artifact, "py-rattler" if is_conda else "pip"
            wanted = f"{artifact.name} {artifact.version}"
            say(f"trying {wanted} from {target.settings.name} with {world}")
            trials.append(_try(target.settings, places, known, step, is_conda))
    return trials


def _is_channel(target: Target, url: str) -> bool:
    """Whether there is a conda channel at an address of the target's own server."""
    http = getattr(target, "http", None)
    return http is not None and bool(http.get(f"{url}/noarch/repodata.json").ok)


def _try(
    settings: TargetSettings,
    places: Places,
    known: Credentials | None,
    step: PlannedStep,
    is_conda: bool,
) -> Trial:
    from twofold.install.carried import carried_tests
    from twofold.install.trial import CondaTrial, PipTrial, try_with_conda, try_with_pip

    artifact = step.file.artifact
    token = known.secret.reveal() if known else ""
    if not (places.channel if is_conda else places.index):
        return _not_tried(settings, is_conda)
    if not is_conda:
        wanted = f"{artifact.name}=={artifact.version}"
        return try_with_pip(PipTrial(artifact.name, wanted, places.index, token))
    spec = f'{artifact.name}[version="=={artifact.version}",build="{artifact.build}"]'
    with tempfile.TemporaryDirectory(prefix="twofold-try-") as folder:
        tests = carried_tests(artifact.path, Path(folder, "tests"))
        tokens = ((places.channel, token),) if token else ()
        found = CondaTrial(artifact.name, spec, (places.channel,), tokens, tests=tests)
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
