"""TF411: what PyPI refuses of a whole release."""

from __future__ import annotations

from collections.abc import Iterator

from twofold.artifact import Artifact
from twofold.check.rule_table import Violation


def second_sdist(first: Artifact, second: Artifact) -> Iterator[Violation]:
    """TF411"""
    yield Violation(
        f"it is a second sdist of {second.name} {second.version}, beside {first.filename}: PyPI "
        "takes one a release",
        "remove the one that was built earlier",
        second.filename,
    )
