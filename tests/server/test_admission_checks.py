"""Limits of what one file may ask of the registry."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.factories.artifacts import METADATA, write_wheel
from twofold.errors import Refused
from twofold.formats.reader import read_artifact
from twofold.server.admission.checks import (
    MAX_COMPARISONS,
    MAX_REQUIREMENTS,
    check_requirement_limits,
)


@pytest.mark.parametrize("count", [MAX_REQUIREMENTS, MAX_REQUIREMENTS + 1, 40_000])
def test_a_file_may_hold_so_many_requirements_and_no_more(count: int, tmp_path: Path) -> None:
    lines = "".join(f"Requires-Dist: p{number}\n" for number in range(count))
    artifact = read_artifact(write_wheel(tmp_path, None, METADATA.strip() + "\n" + lines))
    if count <= MAX_REQUIREMENTS:
        check_requirement_limits(artifact)
    else:
        with pytest.raises(Refused, match="requirements"):
            check_requirement_limits(artifact)


@pytest.mark.parametrize("marker", ["python_version > '3.{}'", "extra == 'e{}'"])
def test_markers_may_compare_so_often_and_no_more(marker: str, tmp_path: Path) -> None:
    def check(count: int) -> None:
        line = " or ".join(marker.format(number) for number in range(50))
        requires = f"Requires-Dist: p; {line}\n" * count
        artifact = read_artifact(write_wheel(tmp_path, None, METADATA.strip() + "\n" + requires))
        check_requirement_limits(artifact)

    allowed = MAX_COMPARISONS // (50 * 51 if "extra" in marker else 50)
    check(allowed)
    with pytest.raises(Refused, match="compare more than"):
        check(allowed + 1)
