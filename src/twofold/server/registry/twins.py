"""A wheel's twin on the conda side: a real `.conda` made by `twofold.convert`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from twofold.artifact import Artifact, Kind
from twofold.errors import TwofoldError


@dataclass(frozen=True)
class Twin:
    """The packages made (several where markers ask for it), or why there is none."""

    artifacts: tuple[Artifact, ...] = ()
    remark: str | None = None


def make_twin(artifact: Artifact, folder: Path, known: Mapping[str, str]) -> Twin:
    """Convert a wheel into `folder`; dependencies get the names the channel knows them by.

    A wheel that cannot be converted is no reason to refuse it: the remark says why.
    """
    if artifact.kind is not Kind.WHEEL:
        return Twin()
    from twofold.convert import CondaOptions, convert_all
    from twofold.formats.conda import BUILD

    # The level of `twofold build`: its conda package and the twin of its wheel are one file.
    options = CondaOptions(at_hand=known, level=BUILD)
    try:
        return Twin(tuple(convert_all(artifact.path, folder, options)))
    except TwofoldError as error:
        return Twin(remark=f"no conda package was made of {artifact.filename}: {error}")
