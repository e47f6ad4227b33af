"""`twofold publish --try`: install a release in both worlds from where it was published."""

from __future__ import annotations

from twofold.cli.terminal import note
from twofold.publish.credentials import find_credentials
from twofold.publish.places import places_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from twofold.install.trial import Trial
    from twofold.publish.configuration import TargetSettings
    from twofold.publish.publication import Publication


def try_published(publication: Publication) -> list[Trial]:
    """A trial for every target and world that the release went to."""
    trials: list[Trial] = []
    alone = len(publication.targets) == 1
    for target in publication.targets:
        steps = [s for s in publication.plan.present if s.target is target]
        seen = {(s.file.artifact.kind.is_conda, s.file.artifact.name): s for s in steps}
        for (is_conda, name), step in seen.items():
            version = step.file.artifact.version
            trials += _try(target.settings, alone, is_conda, name, version)
    return trials


def _try(
    settings: TargetSettings, alone: bool, is_conda: bool, name: str, version: str
) -> list[Trial]:
    from twofold.install.trial import CondaTrial, PipTrial, try_with_conda, try_with_pip

    places = places_of(settings)
    found = find_credentials(settings, alone)
    token = found.secret.reveal() if found else ""
    world = "conda" if is_conda else "pip"
    if not (places.channel if is_conda else places.index):
        note(f"{settings.name} has no address to install from with {world}: not tried")
        return []
    note(f"trying {name} {version} from {settings.name} with {world}")
    if not is_conda:
        return [try_with_pip(PipTrial(name, f"{name}=={version}", places.index, token))]
    tokens = ((places.channel, token),) if token else ()
    spec = f'{name}[version="=={version}"]'
    return [try_with_conda(CondaTrial(name, spec, (places.channel,), tokens))]
