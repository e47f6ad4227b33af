"""Limits of what one file may ask of the registry."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.factories.artifacts import METADATA, write_wheel
from twofold.errors import Refused
from twofold.formats.reader import read_artifact
from twofold.server.admission.checks import (
    MAX_COMPARISONS,
    MAX_KEPT,
    MAX_KEPT_RATIO,
    MAX_REQUIREMENTS,
    check_kept_size,
    check_metadata_limits,
    check_requirement_limits,
)


@pytest.mark.parametrize("count", [MAX_REQUIREMENTS, MAX_REQUIREMENTS + 1, 20_000])
def test_a_file_may_hold_so_many_requirements_and_no_more(count: int, tmp_path: Path) -> None:
    lines = "".join(f"Requires-Dist: p{number}\n" for number in range(count))
    artifact = read_artifact(write_wheel(tmp_path, None, METADATA.strip() + "\n" + lines))
    if count <= MAX_REQUIREMENTS:
        check_requirement_limits(artifact)
    else:
        with pytest.raises(Refused, match="requirements"):
            check_requirement_limits(artifact)


@pytest.mark.parametrize(
    "marker", ["python_version > '3.{}'", "extra == 'e{}'", "(python_version > '3.{}')"]
)
def test_markers_may_compare_so_often_and_no_more(marker: str, tmp_path: Path) -> None:
    def check(count: int) -> None:
        line = " or ".join(marker.format(number) for number in range(50))
        requires = f"Requires-Dist: p; {line}\n" * count
        artifact = read_artifact(write_wheel(tmp_path, None, METADATA.strip() + "\n" + requires))
        check_requirement_limits(artifact)

    each = 100 if "(" in marker else 50 * 51 if "extra" in marker else 50
    allowed = MAX_COMPARISONS // each
    check(allowed)
    with pytest.raises(Refused, match="compare more than"):
        check(allowed + 1)


@pytest.mark.parametrize("count", [100_000, 1_000_000])
def test_what_the_database_keeps_of_a_file_is_in_proportion_to_its_size(
    count: int, tmp_path: Path
) -> None:
    text = f"{METADATA.strip()}\n\n{'a ' * (count // 2)}"
    artifact = read_artifact(write_wheel(tmp_path, None, text))._replace(size=4_000)
    if count < MAX_KEPT + MAX_KEPT_RATIO * artifact.size:
        check_kept_size(artifact, None, "")
        with pytest.raises(Refused, match="allowed in a file"):
            check_kept_size(artifact, None, "ä" * count)
    else:
        with pytest.raises(Refused, match="allowed in a file"):
            check_kept_size(artifact)


def test_a_field_may_be_folded_into_so_many_lines_and_no_more(tmp_path: Path) -> None:
    begun = time.process_time()
    text = f"{METADATA.strip()}\nDescription: a" + "\n  b" * 300_000 + "\n"
    artifact = read_artifact(write_wheel(tmp_path, None, text))
    with pytest.raises(Refused, match="lines before the description"):
        check_metadata_limits(artifact)
    assert time.process_time() - begun < 5  # a minute, where each line was added to the others
